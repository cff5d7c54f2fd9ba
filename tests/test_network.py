"""
Tests of the page when the network fails or the server stops: no move is lost.

People with a bad network come through a ``Relay``, which fails as networks do: it
freezes, or drops all connections.

"""

import asyncio
import re

import pytest
from playwright.async_api import expect

from helpers import RED_WINS
from states import (
    LOST,
    STOPPED,
    column,
    expect_board,
    expect_phase,
    expect_sentence,
    expect_status,
    play,
    play_all,
    press,
    start,
    start_two,
)

FREEZE = 15  # seconds that the network of the second player stands still
LONG_TIMEOUT = 20_000  # for what takes longer than others, in milliseconds

# What the browser says when the network may be back, or the device awake.
HOPES = [
    ("window", "online"),
    ("window", "pageshow"),
    ("document", "visibilitychange"),
]


class Relay:
    """
    The network between browsers and the games, which fails when it's told to.

    Frozen, it accepts connections, but nothing gets through, and nothing is
    lost: all that was sent arrives after the thaw. Dropped, it ends all
    connections without a word, and new ones as soon as they come.

    """

    def __init__(self, port):
        self.port = port  # of the server
        self.url = None  # of the page, by way of this relay
        self.dropped = False
        self.upward, self.downward = asyncio.Event(), asyncio.Event()
        self.tasks = set()
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

    def resume(self):
        """Be a good network again."""
        self.dropped = False
        self.thaw()

    def lose(self):
        """Be a good network again, but only for new connections."""
        self.upward, self.downward = asyncio.Event(), asyncio.Event()
        self.resume()

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
            await self.upward.wait()
            there = await asyncio.open_connection("127.0.0.1", self.port)
            transports.append(there[1].transport)
            async with asyncio.TaskGroup() as group:
                group.create_task(self.forward(reader, there[1], self.upward))
                group.create_task(self.forward(there[0], writer, self.downward))
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


def via(relay, url):
    """Return the same link, by way of a relay."""
    return relay.url + url.rpartition("/")[2]


async def start_by(relay, open_page):
    """Open the pages of two players, of whom yellow comes through a relay."""
    red, join, _ = await start(open_page)
    yellow = await open_page(via(relay, join))
    await expect_status(yellow, "You are yellow.")
    await expect_status(red, "Yellow has joined.")
    return red, yellow


async def stop_clock(page):
    """Load a page again with its clock stopped; it does nothing in its own time."""
    await page.clock.install(time=0)
    await page.clock.pause_at(1000)
    await page.reload()
    await expect_phase(page, "theirs")


async def test_dropped_connection_mends_itself(open_page, relay):
    red, yellow = await start_by(relay, open_page)
    await play_all(red, yellow, [3, 3, 3])
    relay.drop()
    await expect_sentence(yellow, LOST)
    await expect_sentence(red, "Yellow is away.")
    await expect(column(yellow, 3)).to_be_disabled()
    relay.resume()
    await expect_status(red, "Yellow is back.")
    await play_all(yellow, red, [3, 4])
    for page in (red, yellow):
        await expect_board(page, [3, 3, 3, 3, 4])


async def test_move_into_a_dead_network_is_shown_and_sent_again(open_page, relay):
    red, yellow = await start_by(relay, open_page)
    await play(red, 3)
    await expect_phase(yellow, "turn")
    relay.freeze()
    await play(yellow, 2)
    await expect(column(yellow, 2).locator(".ghost")).to_have_count(1)
    await expect(column(yellow, 4)).to_be_disabled()
    relay.drop()
    # As far as the server knows, yellow has never moved.
    await expect_sentence(red, "Yellow’s seat is free.")
    relay.resume()
    for page in (red, yellow):
        await expect_board(page, [3, 2])
    await expect(yellow.locator(".ghost")).to_have_count(0)


async def test_move_whose_answer_did_not_arrive_is_made_once(open_page, relay):
    red, yellow = await start_by(relay, open_page)
    await play(red, 3)
    await expect_phase(yellow, "turn")
    relay.freeze(relay.downward)
    await play(yellow, 3)
    await expect_board(red, [3, 3])
    relay.drop()
    await play(red, 4)
    relay.resume()
    await expect_board(yellow, [3, 3, 4])
    await play(yellow, 5)
    await expect_board(red, [3, 3, 4, 5])


async def test_move_that_is_too_late_is_told(open_page, relay):
    red, yellow = await start_by(relay, open_page)
    await play_all(red, yellow, [6, *RED_WINS[:-1]])
    await expect_phase(red, "theirs")
    await play(yellow, 3)
    await play(red, 5)
    await expect_phase(yellow, "turn")
    relay.freeze()
    await play(yellow, 2)
    # Somebody else takes the seat on another device, and moves.
    relay.drop()
    await expect_sentence(red, "Yellow is away.")
    key = await yellow.evaluate("history.state.key")
    other = await open_page(f"{red.url.rpartition('/')[0]}/?join={key}")
    await play(other, 4)
    await other.close()
    relay.resume()
    await expect_sentence(yellow, "Your move came too late.")
    await expect_board(yellow, [6, *RED_WINS[:-1], 3, 5, 4])


async def test_page_reconnects_at_once_when_there_is_hope(open_page, relay):
    _, yellow = await start_by(relay, open_page)
    await stop_clock(yellow)
    for target, event in HOPES:
        relay.drop()
        await expect_sentence(yellow, LOST)
        relay.resume()
        await yellow.evaluate(f"{target}.dispatchEvent(new Event('{event}'))")
        await expect_phase(yellow, "theirs")
    await yellow.context.set_offline(True)
    relay.drop()
    await expect_sentence(yellow, LOST)
    relay.resume()
    await yellow.context.set_offline(False)
    await expect_phase(yellow, "theirs")


async def test_page_that_wakes_finds_out_that_its_connection_is_dead(open_page, relay):
    _, yellow = await start_by(relay, open_page)
    await stop_clock(yellow)
    relay.freeze()
    await yellow.evaluate("document.dispatchEvent(new Event('visibilitychange'))")
    await yellow.clock.run_for(3000)
    await expect_sentence(yellow, LOST)
    relay.thaw()
    await yellow.clock.resume()
    await expect_phase(yellow, "theirs")


async def test_page_that_is_online_again_does_not_wait_for_an_old_attempt(
    open_page, relay
):
    _, yellow = await start_by(relay, open_page)
    await stop_clock(yellow)
    relay.drop()
    await expect_sentence(yellow, LOST)
    relay.freeze()
    relay.dropped = False
    async with yellow.expect_websocket():
        await yellow.clock.run_for(2000)
    relay.lose()
    await yellow.evaluate("window.dispatchEvent(new Event('online'))")
    await expect_phase(yellow, "theirs")


@pytest.mark.slow
async def test_frozen_network_is_noticed_and_survived(open_page, relay):
    red, yellow = await start_by(relay, open_page)
    await play_all(red, yellow, [3, 3])
    await expect_phase(red, "turn")
    relay.freeze()
    thaw = asyncio.create_task(asyncio.sleep(FREEZE))
    await play(red, 4)
    await expect_sentence(yellow, LOST)
    await expect_board(yellow, [3, 3])
    # The server finds out by its own pings.
    away = expect(red.locator(".sentence"))
    await away.to_have_text("Yellow is away.", timeout=LONG_TIMEOUT)
    await thaw
    relay.thaw()
    await expect_board(yellow, [3, 3, 4])
    await play(yellow, 5)
    await expect_board(red, [3, 3, 4, 5])


async def test_spectator_who_sleeps_through_a_rematch_sees_the_new_game(
    open_page, relay
):
    red, yellow, join = await start_two(open_page)
    sleeper = await open_page(via(relay, join))
    await play_all(red, yellow, RED_WINS[:6])
    await expect_board(sleeper, RED_WINS[:6])
    relay.freeze()
    await play(red, RED_WINS[6])
    for page in (red, yellow):
        await press(page, "Play again")
    await play_all(yellow, red, [3, 4])
    relay.drop()
    relay.resume()
    await expect_board(sleeper, [3, 4], first="yellow")
    await expect_sentence(sleeper, "Yellow’s turn")


async def test_looking_back_goes_on_after_a_short_loss(open_page, site):
    red, yellow, join = await start_two(open_page)
    spectator = await open_page(join)
    await play_all(red, yellow, [3, 3, 4])
    await expect_board(spectator, [3, 3, 4])
    await spectator.get_by_role("button", name="Previous move").click()
    await expect_sentence(spectator, "Move 2 of 3")
    await site.cut()
    await expect_sentence(spectator, LOST)
    await site.start()
    await expect_sentence(spectator, "Move 2 of 3")
    await expect_board(spectator, [3, 3])


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
    await expect_sentence(
        page,
        f"Can’t reach the games at 127.0.0.1:{site.port}. A firewall may be why.",
    )
    await expect_status(page, "You are red.")


async def test_game_goes_on_when_the_server_comes_back(open_page, site):
    red, yellow, join = await start_two(open_page)
    spectator = await open_page(join)
    await play_all(red, yellow, [3, 3, 4])
    await expect_board(spectator, [3, 3, 4])
    everybody = red, yellow, spectator
    await site.stop()
    for page in everybody:
        await expect_sentence(page, STOPPED)
        await expect_board(page, [3, 3, 4])
    await site.start()
    await play_all(yellow, red, [4, 5])
    for page in everybody:
        await expect_board(page, [3, 3, 4, 4, 5])


async def test_game_is_gone_when_the_server_says_so(open_page, site):
    from helpers import forget_all

    red, yellow, _ = await start_two(open_page)
    await site.stop()
    for page in (red, yellow):
        await expect_sentence(page, STOPPED)
    forget_all()
    await site.start()
    for page in (red, yellow):
        await expect_sentence(page, "This game is gone.")
    await press(red, "New game")
    await expect_status(red, "You are red.")
    await expect_phase(red, "waiting")


async def test_first_connection_waits_until_somebody_looks(open_page, site):
    page = await open_page("about:blank")
    await page.add_init_script(
        "Object.defineProperty(document, 'visibilityState', "
        "{ get: () => window.seen ? 'visible' : 'hidden' })"
    )
    sockets = []
    page.on("websocket", lambda socket: sockets.append(socket))
    await page.goto(site.url)
    await expect_sentence(page, "Connecting…")
    assert sockets == []
    await page.evaluate(
        "() => { window.seen = true;"
        " document.dispatchEvent(new Event('visibilitychange')); }"
    )
    await expect_phase(page, "waiting")


@pytest.mark.parametrize("module", ["qrcode", "sound"])
async def test_game_goes_on_without_a_module_that_did_not_come(open_page, site, module):
    red = await open_page("about:blank")
    await red.route(f"**/{module}.js", lambda route: route.abort())
    await red.goto(site.url)
    await play(red, 3)
    yellow = await open_page(red.url)
    await expect_board(yellow, [3])


async def test_page_whose_script_does_not_come_says_so(open_page, site):
    page = await open_page("about:blank")
    await page.route("**/game.js", lambda route: route.abort())
    await page.goto(site.url)
    await expect(page.get_by_text("Loading…")).to_be_visible()
    await page.unroute("**/game.js")
    await page.get_by_role("link", name="reload the page").click()
    await expect_phase(page, "waiting")
    await expect(page.get_by_text("Loading…")).to_be_hidden()


async def test_status_does_not_say_that_somebody_came_who_has_left(open_page):
    red, yellow, _ = await start_two(open_page)
    await play_all(red, yellow, [3, 3])
    link = yellow.url
    for _ in range(2):
        context = yellow.context
        await yellow.close()
        await expect_status(red, "Yellow is away.")
        await expect(red.get_by_role("status")).not_to_contain_text("is back")
        yellow = await context.new_page()
        await yellow.goto(link)
        await expect_status(red, "Yellow is back.")
