"""
What people do with a page, and see there, in whatever browser; and matches to look at.

A *match* is two seats and the games played there, a *page* what a browser shows of it.
Conditions are functions in JavaScript, which hold in the page sooner or later.

"""

import io

from PIL import Image
from playwright.async_api import TimeoutError

from helpers import KEYS, Server, play_moves

STOPPED = "The server has stopped. Waiting for it to come back…"

# What there is to see on a page, of which the names are those of the style sheet; the
# board by columns from the left and from the bottom.
SEE = """() => {
    const find = (selector) => document.querySelector(selector);
    const isShown = (element) => element?.getClientRects().length > 0;
    const text = (selector) =>
        isShown(find(selector)) ? find(selector).textContent.trim() : "";
    const letter = ({ classList }) =>
        classList.contains("red") ? "r" : classList.contains("yellow") ? "y" : ".";
    const cells = [...document.querySelectorAll(".column > .cell")];
    const { dataset, classList } = document.activeElement;
    return {
        phase: document.body.dataset.phase,
        said: find("[role=status]")?.textContent ?? "",
        sentence: text(".sentence"),
        act: text(".act"),
        sign: text(".sign"),
        line: document.querySelectorAll(".cell.line").length,
        ghosts: document.querySelectorAll(".ghost").length,
        scores: text(".red .score") + " " + text(".yellow .score"),
        shown: isShown(find(".move")) ? find(".move").ariaValueText : "",
        watchers: isShown(find(".watchers")) ? find(".watchers").title : "",
        card: text(".invitation h2"),
        focus: dataset.column ?? classList[0] ?? "",
        board: cells.map(letter).join(""),
    };
}"""

SEEN = f"""(facts) => {{
    const seen = ({SEE})();
    return Object.entries(facts).every(([name, fact]) =>
        name === "said" ? seen.said.includes(fact) : seen[name] === fact);
}}"""

# Whether one can choose a column in a game. When the board comes, or the card above it
# goes, one can't for a moment.
CAN_PLAY = """(column) =>
    document.body.dataset.phase !== "waiting"
    && getComputedStyle(document.querySelector(".board")).pointerEvents !== "none"
    && document.querySelector(
        `.column[data-column="${column}"][aria-disabled="false"]`) !== null"""


async def see(*pages, moves=None, first="red", **facts):
    """Wait until all this is to be seen on pages: moves, and facts as in ``SEE``."""
    if moves is not None:
        letters = "ry" if first == "red" else "yr"
        board = [""] * 7
        for number, chosen in enumerate(moves):
            board[chosen] += letters[number % 2]
        facts["board"] = "".join(cells.ljust(6, ".") for cells in board)
    for page in pages:
        try:
            await page.wait_for_function(SEEN, arg=facts)
        except TimeoutError:
            raise AssertionError(f"{await page.evaluate(SEE)}, not {facts}") from None


async def start(open_page, **options):
    """Open the page of a first player; return it, and the links to play and watch."""
    red = await open_page(**options)
    await see(red, said="You are red.")
    join = await link(red)
    KEYS.add(join[-6:])
    return red, join, f"{join[:-6]}?watch={join[-6:]}"


async def start_two(open_page, **options):
    """Open the pages of two players, who see each other; return them and the link."""
    red, join, _ = await start(open_page, **options)
    yellow = await open_page(join, **options)
    await see(yellow, said="You are yellow.")
    await see(red, said="Yellow has joined.")
    return red, yellow, join


async def link(page):
    """Return the link that the invitation shows."""
    return await page.evaluate("() => document.querySelector('.invitation a').href")


def column(page, number):
    return page.locator(f".column[data-column='{number}']")


async def play(page, chosen):
    """Click a column as soon as it's this player's turn."""
    await page.wait_for_function(CAN_PLAY, arg=chosen)
    await page.click(f".column[data-column='{chosen}']")


async def take_turns(one, other, columns):
    """Click columns, on the pages of two players in turn."""
    for number, chosen in enumerate(columns):
        await play(other if number % 2 else one, chosen)


async def press(page, name):
    """Press the main button, by its name."""
    await see(page, act=name)
    await page.click(".act")


async def press_keys(page, *keys):
    for key in keys:
        await page.keyboard.press(key)


async def look_at(locator):
    """Return a picture, in grey, of what is to be seen in a part of a page."""
    png = await locator.screenshot(animations="disabled")
    return Image.open(io.BytesIO(png)).convert("L")


class Match:
    """A match between two clients on the wire, whose seats pages can take."""

    def __init__(self, site, open_page):
        self.site = site
        self.server = Server(site.server)
        self.open_page = open_page
        self.links = {}
        self.seats = {}

    async def begin(self, *columns):
        """Start the match, and play moves."""
        red, yellow = await self.server.start_game()
        self.seats = {"red": red, "yellow": yellow}
        url, code = self.site.url, red.init["code"]
        self.links = {"code": url + code, "spectator": f"{url}?watch={code}"}
        for name, client in self.seats.items():
            self.links[name] = f"{url}?join={client.init['rejoin']}"
        await play_moves(red, yellow, columns)

    async def leave(self, player):
        await self.seats.pop(player).close()

    async def open(self, who, **options):
        """Open a page for a player, whose client leaves, or for a spectator."""
        if who in self.seats:
            await self.leave(who)
        page = await self.open_page(self.links[who], **options)
        await page.wait_for_function(
            "() => !['loading', 'connecting'].includes(document.body.dataset.phase)"
        )
        return page
