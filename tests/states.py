"""The states of the page, each reached in a moment, for tests and screenshots."""

import asyncio
import re

from playwright.async_api import expect

import app
from helpers import DRAWN, KEYS, TIMEOUT, Server

# Red wins with the last move, by the line from (1, 0) to (4, 3).
DIAGONAL = [1, 2, 2, 3, 3, 4, 3, 4, 4, 0, 4]


# What people do with a page, and see there


async def start(open_page, **options):
    """Open the page of a first player; return it, and the Join and Watch links."""
    red = await open_page(**options)
    await expect_status(red, "You are red.")
    join, watch = [await link(red, name) for name in ("join", "watch")]
    KEYS.update(url.partition("=")[2] for url in (join, watch))
    return red, join, watch


async def link(page, name):
    """Return the address of a link of the page."""
    return await page.locator(f"a.{name}").evaluate("link => link.href")


async def open_watching(page):
    """Show the link and the picture for spectators."""
    await page.get_by_text("Let others watch").click()


async def play(page, column):
    """Click a column as soon as it's this player's turn."""
    await expect(page.locator(f".column[data-column='{column}']")).to_be_enabled()
    await page.locator(f".column[data-column='{column}']").click()


async def play_all(red, yellow, columns):
    for number, column in enumerate(columns):
        await play(yellow if number % 2 else red, column)


async def expect_status(page, text):
    """Wait until the status says so."""
    await expect(page.get_by_role("status")).to_contain_text(text)


async def expect_board(page, columns, first="red"):
    """Wait until the board shows just the moves in these columns."""
    colours = ["red", "yellow"] if first == "red" else ["yellow", "red"]
    board = [["empty"] * 6 for _ in range(7)]
    for number, column in enumerate(columns):
        board[column][board[column].index("empty")] = colours[number % 2]
    for column, cells in enumerate(board):
        await expect(
            page.locator(f".column[data-column='{column}'] > .cell")
        ).to_have_class([re.compile(rf"\b{colour}\b") for colour in cells])


class Match:
    """A game between two clients on the wire, whose seats pages can take."""

    def __init__(self, site, open_page, **options):
        self.site = site
        self.server = Server(site.servers[1])
        self.open_page = open_page
        self.options = options
        self.links = {}
        self.seats = {}
        self.moves = []

    async def begin(self, *columns):
        """Start the game, and play moves."""
        red, init = await self.server.start(subprotocols=[app.EXTENSION])
        yellow = await self.server.join(init["join"], subprotocols=[app.EXTENSION])
        self.seats = {"red": red, "yellow": yellow}
        self.links = {
            "red": f"{self.site.url}?join={init['rejoin']}",
            "yellow": f"{self.site.url}?join={init['join']}",
            "spectator": f"{self.site.url}?watch={init['watch']}",
        }
        await self.play(*columns)

    async def accept(self, join):
        """Let a client follow the Join link of a page that has started the game."""
        key = join.partition("=")[2]
        yellow = await self.server.join(key, subprotocols=[app.EXTENSION])
        self.seats = {"yellow": yellow}

    async def play(self, *columns):
        """Play moves by alternate players. Those of a page are played there."""
        for column in columns:
            player = "yellow" if len(self.moves) % 2 else "red"
            await self.seats[player].play(column)
            self.moves.append(column)
            for client in self.seats.values():
                await receive(client, "play")

    async def ask_rematch(self, player):
        await self.seats[player].send({"type": "rematch"})

    async def leave(self, player):
        await self.seats.pop(player).close()

    async def open(self, who):
        """Open a page for a player, whose client leaves, or for a spectator."""
        if who in self.seats:
            await self.leave(who)
        page = await self.open_page(self.links[who], **self.options)
        await expect(page.locator("body")).not_to_have_attribute(
            "data-state", "connecting"
        )
        return page

    def cut(self):
        """Cut all connections without a word."""
        for websocket in self.site.servers[1].connections:
            websocket.transport.abort()

    def isolate(self):
        """Cut all connections, and let nobody connect any more."""
        self.site.servers[1].server.close()
        self.cut()

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


async def waiting(match):
    return await match.open_page(match.site.url, **match.options)


async def your_turn(match):
    await match.begin(3, 3, 4, 2)
    return await match.open("red")


async def their_turn(match):
    await match.begin(3, 3, 4)
    return await match.open("red")


async def opponent_away(match):
    await match.begin(3, 3, 4, 2)
    page = await match.open("red")
    await match.leave("yellow")
    return page


async def watching(match):
    await match.begin(3, 3, 4)
    return await match.open("spectator")


async def reconnecting(match):
    await match.begin(3, 3, 4, 2)
    page = await match.open("red")
    match.isolate()
    return page


async def server_stopped(match):
    await match.begin(3, 3, 4, 2)
    page = await match.open("red")
    await match.site.stop()
    return page


async def won(match):
    await match.begin(*DIAGONAL[:-1])
    page = await match.open("red")
    await page.locator(f".column[data-column='{DIAGONAL[-1]}']").click()
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
    await page.get_by_role("button", name="Rematch").click()
    return page


async def rematch_wanted(match):
    page = await won(match)
    await match.ask_rematch("yellow")
    return page


async def seat_taken(match):
    await match.begin(3, 3, 4)
    return await match.open_page(match.links["yellow"], **match.options)


async def game_gone(match):
    return await match.open_page(f"{match.site.url}?join=gone", **match.options)


# What one sees in each state, and reads in the status: a selector, and a pattern
# that is found there and nowhere else, but for the states named after it.
STATES = {
    connecting: ("[data-state=connecting]", r"\bConnecting"),
    waiting: ("[data-state=waiting]", "Waiting for yellow"),
    your_turn: ("[data-state=ours]", "Your turn"),
    their_turn: ("[data-state=theirs]", "(Red|Yellow)'s turn"),
    opponent_away: ("[data-state=away]", "has left"),
    watching: ("[data-state=watching]", "You are watching"),
    reconnecting: ("[data-state=reconnecting]", "Reconnecting"),
    server_stopped: ("[data-state=stopped]", "stopped"),
    won: ("[data-state=won]", "You win"),
    lost: ("[data-state=lost]", "Red wins"),
    draw: ("[data-state=drawn]", "draw"),
    seen_to_end: ("[data-state=over]", "Red wins"),
    rematch_asked: ("[data-state=won]", "You asked for a rematch"),
    rematch_wanted: ("[data-state=won]", "Yellow wants a rematch"),
    seat_taken: ("[data-state=taken]", "seats are taken"),
    game_gone: ("[data-state=gone]", "There is no game at this address"),
}
