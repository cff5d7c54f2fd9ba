"""What people do with a page and see there, and its states."""

import asyncio
import re

from playwright.async_api import expect

from helpers import DRAWN, KEYS, TIMEOUT, V2, Server

# Red wins with the last move, by the line from (1, 0) to (4, 3).
DIAGONAL = [1, 2, 2, 3, 3, 4, 3, 4, 4, 0, 4]

PHONE = {
    "viewport": {"width": 320, "height": 568},
    "has_touch": True,
    "is_mobile": True,
}

# What one reads.
LOST = "The connection is lost. Reconnecting…"
STOPPED = "The server has stopped. Waiting for it to come back…"
TAKEN = "You are playing this in another tab. When that is closed, it goes on here."
GONE = "This game is gone."


async def start(open_page, **options):
    """Open the page of a first player; return it, and the links to play and watch."""
    red = await open_page(**options)
    await expect_status(red, "You are red.")
    join = await link(red)
    code = join[-6:]
    KEYS.add(code)
    return red, join, f"{join[:-6]}?watch={code}"


async def link(page):
    """Return the link that the invitation shows."""
    return await page.locator(".invitation a").evaluate("link => link.href")


async def start_two(open_page, **options):
    """Open the pages of two players, who see each other; return them and the link."""
    red, join, _ = await start(open_page, **options)
    yellow = await open_page(join, **options)
    await expect_status(yellow, "You are yellow.")
    await expect_status(red, "Yellow has joined.")
    return red, yellow, join


def column(page, number):
    return page.locator(f".column[data-column='{number}']")


async def play(page, number):
    """Click a column as soon as it's this player's turn."""
    await expect(column(page, number)).to_be_enabled()
    await column(page, number).click()


async def play_all(red, yellow, columns):
    for number, chosen in enumerate(columns):
        await play(yellow if number % 2 else red, chosen)


def act(page):
    """Return the main button."""
    return page.locator(".act:not([hidden])")


async def press(page, name):
    """Press the main button, by its name."""
    await expect(act(page)).to_have_text(re.compile(rf"^\s*{name}\s*$"))
    await act(page).click()


async def expect_status(page, text):
    """Wait until a screen reader is told so."""
    await expect(page.get_by_role("status")).to_contain_text(text)


async def expect_sentence(page, text):
    """Wait until one sees this sentence."""
    await expect(page.locator(".sentence")).to_have_text(text)


async def expect_phase(page, phase):
    """Wait until the page is in a state, as its style sheet sees it."""
    await expect(page.locator("body")).to_have_attribute("data-phase", phase)


async def expect_arrived(page):
    """Wait until one can touch the board, which isn't so for a moment."""
    await expect(page.locator(".board")).to_have_css("pointer-events", "auto")


async def expect_board(page, columns, first="red"):
    """Wait until the board shows just these moves, which the server has told."""
    colours = ["red", "yellow"] if first == "red" else ["yellow", "red"]
    board = [["empty"] * 6 for _ in range(7)]
    for number, chosen in enumerate(columns):
        board[chosen][board[chosen].index("empty")] = colours[number % 2]
    for number, cells in enumerate(board):
        await expect(
            page.locator(f".column[data-column='{number}'] > .cell")
        ).to_have_class([re.compile(rf"(^| ){colour}( |$)") for colour in cells])


class Match:
    """A match between two clients on the wire, whose seats pages can take."""

    def __init__(self, site, open_page, **options):
        self.site = site
        self.server = Server(site.server)
        self.open_page = open_page
        self.options = options
        self.links = {}
        self.seats = {}
        self.moves = []

    async def begin(self, *columns):
        """Start the match, and play moves."""
        red, init = await self.server.start(**V2)
        yellow = await self.server.join(init["code"], **V2)
        rejoin = {"red": init["rejoin"], "yellow": (await yellow.receive())["rejoin"]}
        self.seats = {"red": red, "yellow": yellow}
        self.links = {seat: f"{self.site.url}?join={rejoin[seat]}" for seat in rejoin}
        self.links["spectator"] = f"{self.site.url}?watch={init['code']}"
        self.links["code"] = f"{self.site.url}{init['code']}"
        await self.play(*columns)

    async def play(self, *columns):
        """Play moves by alternate players. Those of a page are played there."""
        for chosen in columns:
            player = "yellow" if len(self.moves) % 2 else "red"
            await self.seats[player].play(chosen)
            self.moves.append(chosen)
            for client in self.seats.values():
                await receive(client, "play")

    async def ask_rematch(self, player):
        await self.seats[player].send({"type": "rematch"})

    async def open_seat(self, player, by):
        await self.seats[by].send({"type": "open", "player": player})

    async def leave(self, player):
        await self.seats.pop(player).close()

    async def open(self, who):
        """Open a page for a player, whose client leaves, or for a spectator."""
        if who in self.seats:
            await self.leave(who)
        page = await self.open_page(self.links[who], **self.options)
        await expect(page.locator("body")).not_to_have_attribute(
            "data-phase", re.compile("loading|connecting")
        )
        return page

    def cut(self):
        """Cut all connections without a word."""
        for websocket in self.site.server.connections:
            websocket.drop()

    async def end(self):
        """Let all clients leave."""
        await asyncio.gather(*(client.close() for client in self.server.clients))


async def receive(client, kind):
    """Wait for the next event of a kind."""
    async with asyncio.timeout(TIMEOUT):
        while (event := await client.receive())["type"] != kind:
            pass
    return event


# Each of these opens a page, and returns it in the state of which it has the name.


async def connecting(match):
    def answer(websocket):
        websocket.on_message(lambda _: websocket.send('{"type": "pong"}'))

    page = await match.open_page("about:blank", **match.options)
    await page.route_web_socket(re.compile(""), answer)
    await page.goto(match.site.url)
    return page


async def unreachable(match):
    page = await match.open_page("about:blank", **match.options)
    await page.route_web_socket(re.compile(""), lambda websocket: websocket.close())
    await page.goto(match.site.url)
    return page


async def waiting(match):
    return await match.open_page(match.site.url, **match.options)


async def somebody_waits(match):
    await match.server.start(**V2)
    return await match.open_page(match.site.url, **match.options)


async def just_watching(match):
    page = await waiting(match)
    await page.get_by_role("button", name="Just watch").click()
    return page


async def your_turn(match):
    await match.begin(3, 3, 4, 2)
    return await match.open("red")


async def their_turn(match):
    await match.begin(3, 3, 4)
    return await match.open("red")


async def other_away(match):
    await match.begin(3, 3, 4, 2)
    page = await match.open("red")
    await match.leave("yellow")
    return page


async def seat_free(match):
    await match.begin(3, 3, 4, 2)
    page = await match.open("red")
    await match.open_seat("yellow", by="yellow")
    return page


async def watching(match):
    await match.begin(3, 3, 4)
    return await match.open("spectator")


async def watching_free_seat(match):
    await match.begin(3, 3, 4)
    await match.open_seat("yellow", by="yellow")
    return await match.open("spectator")


async def reconnecting(match):
    await match.begin(3, 3, 4, 2)
    page = await match.open("red")
    await match.site.cut()
    return page


async def server_stopped(match):
    await match.begin(3, 3, 4, 2)
    page = await match.open("red")
    await match.site.stop()
    return page


async def won(match):
    await match.begin(*DIAGONAL[:-1])
    page = await match.open("red")
    await play(page, DIAGONAL[-1])
    return page


async def lost(match):
    await match.begin(*DIAGONAL[:-1])
    page = await match.open("yellow")
    await match.play(DIAGONAL[-1])
    return page


async def draw(match):
    await match.begin(*DRAWN)
    return await match.open("red")


async def seen_to_end(match):
    await match.begin(*DIAGONAL)
    return await match.open("spectator")


async def rematch_asked(match):
    page = await won(match)
    await press(page, "Play again")
    return page


async def rematch_wanted(match):
    page = await won(match)
    await match.ask_rematch("yellow")
    return page


async def seat_taken(match):
    await match.begin(3, 3, 4)
    page = await match.open("yellow")
    twin = await page.context.new_page()
    await twin.goto(match.site.url + "page/favicon.svg")
    entry = await page.evaluate("history.state")
    await twin.evaluate("entry => history.replaceState(entry, '', '/')", entry)
    await twin.reload()
    return twin


async def seat_of_others(match):
    await match.begin(3, 3, 4)
    return await match.open_page(match.links["yellow"], **match.options)


async def game_gone(match):
    return await match.open_page(f"{match.site.url}?join=gone", **match.options)


async def address_unknown(match):
    return await match.open_page(f"{match.site.url}?who=knows", **match.options)


# What one sees in each state: the phase, the sentence, and the main button.
STATES = {
    connecting: ("connecting", "Connecting…", None),
    unreachable: ("unreachable", re.compile("firewall"), None),
    waiting: ("waiting", "", None),
    somebody_waits: ("waiting", "", None),
    just_watching: ("watching", "Both seats are free.", "Play"),
    your_turn: ("turn", "Your turn", None),
    their_turn: ("theirs", "Yellow’s turn", None),
    other_away: ("away", "Yellow is away.", "Let somebody play"),
    seat_free: ("free", "Yellow’s seat is free.", "Invite"),
    watching: ("watching", "Yellow’s turn", None),
    watching_free_seat: ("watching", "Yellow’s seat is free.", "Play"),
    reconnecting: ("reconnecting", LOST, None),
    server_stopped: ("stopped", STOPPED, None),
    won: ("won", "Four in a row!", "Play again"),
    lost: ("lost", "Four in a row!", "Play again"),
    draw: ("drawn", "The board is full.", "Play again"),
    seen_to_end: ("over", "Four in a row!", None),
    rematch_asked: ("won", "Four in a row!", "Waiting for yellow…"),
    rematch_wanted: ("won", "Yellow wants to play again.", "Play again"),
    seat_taken: ("taken", TAKEN, None),
    seat_of_others: ("taken", "Somebody else is playing here.", "Watch"),
    game_gone: ("gone", "There is no such game.", "New game"),
    address_unknown: ("gone", "This address leads to no game.", "New game"),
}


async def expect_state(page, state):
    """Wait until a page is in a state."""
    phase, sentence, button = STATES[state]
    await expect_phase(page, phase)
    await expect_sentence(page, sentence)
    await expect(act(page)).to_have_count(int(button is not None))
    if button is not None:
        await expect(act(page).locator(".label")).to_have_text(button)
