"""
The page when the network fails, the server stops, or a file doesn't come: it says so,
and no move is lost.

"""

import re

import pytest
from playwright.async_api import expect

from helpers import forget_all
from people import LOST, STOPPED, column, play, press, see, start

# With this code, which neither end knows, connections are as good as cut.
CUT = 3000


class Network:
    """The network between a page and the games, which fails when it's told to."""

    def __init__(self):
        self.is_dropped = False
        self.carries = {"up": True, "down": True}
        self.ends = []

    async def accept(self, page_end):
        """Handle a new connection."""
        if self.is_dropped:
            await page_end.close(code=CUT)
            return
        server_end = page_end.connect_to_server()
        page_end.on_message(self.carry("up", server_end))
        server_end.on_message(self.carry("down", page_end))
        self.ends += [page_end, server_end]

    def carry(self, direction, end):
        return lambda message: self.carries[direction] and end.send(message)

    def freeze(self, *directions):
        """Let nothing through any more, but tell nobody."""
        self.carries.update(dict.fromkeys(directions, False))

    async def drop(self):
        """End all connections, and new ones as soon as they come."""
        self.is_dropped = True
        for end in self.ends:
            await end.close(code=CUT)
        self.ends.clear()

    def resume(self):
        """Be a good network again."""
        self.is_dropped = False
        self.carries = {"up": True, "down": True}


@pytest.fixture
async def players(open_page):
    """The pages of two players, and the network through which yellow comes."""
    network = Network()
    red, join, _ = await start(open_page)
    yellow = await open_page("about:blank")
    await yellow.route_web_socket(re.compile(""), network.accept)
    await yellow.goto(join)
    await see(yellow, said="You are yellow.")
    await play(red, 3)
    await see(yellow, phase="turn")
    return red, yellow, network


# The network


async def test_move_into_a_dead_network_is_shown_and_sent_again(players):
    red, yellow, network = players
    network.freeze("up")
    await play(yellow, 2)
    await see(yellow, ghosts=1, sentence="Your turn")
    await expect(column(yellow, 4)).to_be_disabled()
    await network.drop()
    # As far as the server knows, yellow has never moved.
    await see(red, sentence="Yellow’s seat is free.")
    await see(yellow, sentence=LOST, ghosts=1)
    network.resume()
    await see(red, yellow, moves=[3, 2], ghosts=0)


async def test_move_whose_answer_did_not_arrive_is_made_once(players):
    red, yellow, network = players
    network.freeze("down")
    await play(yellow, 3)
    await see(red, moves=[3, 3])
    await network.drop()
    await see(red, sentence="Yellow is away.")
    await play(red, 4)
    network.resume()
    await see(red, said="Yellow is back.")
    await see(yellow, moves=[3, 3, 4])
    await play(yellow, 5)
    await see(red, moves=[3, 3, 4, 5])


async def test_page_that_never_got_through_says_where_it_knocks(open_page, site):
    network = Network()
    await network.drop()
    page = await open_page("about:blank")
    await page.route_web_socket(re.compile(""), network.accept)
    await page.goto(site.url)
    where = f"Can’t reach the games at 127.0.0.1:{site.port}. A firewall may be why."
    await see(page, sentence=where)
    network.resume()
    await see(page, said="You are red.")


# The server


async def test_game_is_gone_when_the_server_says_so(match, site):
    await match.begin(3, 3)
    red = await match.open("red")
    await site.stop()
    await see(red, sentence=STOPPED)
    # A click would lead to the browser's error page.
    await red.get_by_role("link", name="New game").dispatch_event("click")
    forget_all()
    await site.start()
    await see(red, sentence="This game is gone.")
    # It's not come back to, either.
    await red.goto(match.links["code"])
    await see(red, sentence=f"No game has the code {red.url[-6:]}.")
    await press(red, "New game")
    await see(red, said="You are red.", phase="waiting")


async def test_first_connection_waits_until_somebody_looks(open_page, site):
    hide = """Object.defineProperty(document, "visibilityState",
        { get: () => (window.seen ? "visible" : "hidden") })"""
    page = await open_page("about:blank", script=hide)
    sockets = []
    page.on("websocket", lambda socket: sockets.append(socket))
    await page.goto(site.url)
    await see(page, sentence="Connecting…")
    assert sockets == []
    await page.evaluate(
        """() => {
            window.seen = true;
            document.dispatchEvent(new Event("visibilitychange"));
        }"""
    )
    await see(page, phase="waiting")


# Files that don't come


async def test_game_goes_on_without_modules_that_did_not_come(open_page, site):
    red = await open_page("about:blank")
    for module in ("qrcode", "sound"):
        await red.route(f"**/{module}.js", lambda route: route.abort())
    await red.goto(site.url)
    await see(red, phase="waiting")
    yellow = await open_page(red.url)
    await play(red, 3)
    await see(yellow, moves=[3])


async def test_page_whose_script_does_not_come_says_so(open_page, site):
    page = await open_page("about:blank")
    await page.route("**/game.js", lambda route: route.abort())
    await page.goto(site.url)
    await expect(page.get_by_text("Loading…")).to_be_visible()
    await page.unroute("**/game.js")
    await page.get_by_role("link", name="reload the page").click()
    await see(page, phase="waiting")
    await expect(page.get_by_text("Loading…")).to_be_hidden()
