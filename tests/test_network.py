"""
The page when the network fails, the server stops, or a file doesn't come: it says so,
and no move is lost.

People with a bad network come through a ``Relay``, which fails as networks do: it
freezes, or drops all connections.

"""

import asyncio
import re

import pytest
from playwright.async_api import expect

from helpers import forget_all
from states import LOST, STOPPED, column, play, press, see, start


class Relay:
    """
    The network between browsers and the games, which fails when it's told to.

    Frozen, it accepts connections, but nothing gets through, and nothing is
    lost: all that was sent arrives after the thaw. Dropped, it ends all
    connections without a word, and new ones as soon as they come.

    """

    def __init__(self, port):
        self.port = port  # of the server
        self.dropped = False
        self.tasks = set()
        self.resume()

    def resume(self):
        """Be a good network, for new connections."""
        self.dropped = False
        self.upward, self.downward = asyncio.Event(), asyncio.Event()
        self.thaw()

    def freeze(self, *directions):
        """Let nothing through: in one direction, or in both."""
        for direction in directions or (self.upward, self.downward):
            direction.clear()

    def thaw(self):
        self.upward.set()
        self.downward.set()

    def drop(self):
        self.dropped = True
        for task in self.tasks:
            task.cancel()

    def accept(self, reader, writer):
        """Handle a new connection."""
        task = asyncio.create_task(self.carry(reader, writer))
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)

    async def carry(self, reader, writer):
        """Handle a connection until it ends, or is dropped."""
        transports = [writer.transport]
        try:
            if self.dropped:
                return
            upward, downward = self.upward, self.downward
            await upward.wait()
            there = await asyncio.open_connection("127.0.0.1", self.port)
            transports.append(there[1].transport)
            async with asyncio.TaskGroup() as group:
                group.create_task(self.forward(reader, there[1], upward))
                group.create_task(self.forward(there[0], writer, downward))
        except* OSError:
            pass  # One of the two has gone, and now the other.
        finally:
            for transport in transports:
                transport.abort()

    async def forward(self, reader, writer, direction):
        """Forward what is sent in one direction, and the end."""
        while data := await reader.read(1024):
            await direction.wait()
            writer.write(data)
            await writer.drain()
        await direction.wait()
        writer.write_eof()


@pytest.fixture
async def relay(site):
    """Another way to the site, that may fail."""
    relay = Relay(site.port)
    server = await asyncio.start_server(relay.accept, "127.0.0.1", 0)
    relay.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/"
    yield relay
    relay.drop()
    server.close()
    await server.wait_closed()


async def start_by(relay, open_page):
    """Open the pages of two players, of whom yellow comes through a relay."""
    red, join, _ = await start(open_page)
    yellow = await open_page(relay.url + join[-6:])
    await see(yellow, said="You are yellow.")
    await see(red, said="Yellow has joined.")
    return red, yellow


async def stop_clock(page):
    """Load a page again with its clock stopped; it does nothing in its own time."""
    await page.clock.install(time=0)
    await page.clock.pause_at(1000)
    await page.reload()
    await see(page, phase="theirs")


# The network


async def test_move_into_a_dead_network_is_shown_and_sent_again(open_page, relay):
    red, yellow = await start_by(relay, open_page)
    await play(red, 3)
    await see(yellow, phase="turn")
    relay.freeze()
    await play(yellow, 2)
    await see(yellow, ghosts=1, sentence="Your turn")
    await expect(column(yellow, 4)).to_be_disabled()
    relay.drop()
    # As far as the server knows, yellow has never moved.
    await see(red, sentence="Yellow’s seat is free.")
    await see(yellow, sentence=LOST)
    relay.resume()
    await see(red, yellow, moves=[3, 2], ghosts=0)


async def test_move_whose_answer_did_not_arrive_is_made_once(open_page, relay):
    red, yellow = await start_by(relay, open_page)
    await play(red, 3)
    await see(yellow, phase="turn")
    relay.freeze(relay.downward)
    await play(yellow, 3)
    await see(red, moves=[3, 3])
    relay.drop()
    await see(red, sentence="Yellow is away.")
    await play(red, 4)
    relay.resume()
    await see(red, said="Yellow is back.")
    await see(yellow, moves=[3, 3, 4])
    await play(yellow, 5)
    await see(red, moves=[3, 3, 4, 5])


async def test_page_reconnects_at_once_when_it_is_online_again(open_page, relay):
    _, yellow = await start_by(relay, open_page)
    await stop_clock(yellow)
    await yellow.context.set_offline(True)
    relay.drop()
    await see(yellow, sentence=LOST)
    # An attempt that began before doesn't come to anything.
    relay.resume()
    relay.freeze()
    async with yellow.expect_websocket():
        await yellow.clock.run_for(2000)
    relay.resume()
    await yellow.context.set_offline(False)
    await see(yellow, phase="theirs")


async def test_page_that_never_got_through_says_where_it_knocks(open_page, site):
    page = await open_page("about:blank")
    attempts = []

    async def refuse(websocket):
        attempts.append(websocket)
        if len(attempts) > 2:
            websocket.connect_to_server()
        else:
            await websocket.close()

    await page.route_web_socket(re.compile(""), refuse)
    await page.goto(site.url)
    where = f"127.0.0.1:{site.port}"
    await see(
        page, sentence=f"Can’t reach the games at {where}. A firewall may be why."
    )
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
    await see(red, sentence="There is no such game.")
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
