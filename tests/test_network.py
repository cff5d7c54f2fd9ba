"""
Tests of the page when the network fails, the server stops, or too many come.

People with a bad network reach the games through a ``Relay``, which fails as
networks do: it freezes, or drops all connections. The address of the games is
the port after the page's; so each relay serves the page once more, on the port
before its own.

"""

import asyncio
import contextlib
import re
import time
from urllib.parse import urlsplit

import pytest
from playwright.async_api import expect

import app
from helpers import KEYS, RED_WINS
from states import expect_board, expect_status, link, play, play_all, start

FREEZE = 15  # seconds that the network of the second player stands still
LONG_TIMEOUT = 20_000  # for what takes longer than others, in milliseconds
FLAPPING_TIME = 2  # seconds in which two tabs would have fought several times

# What the browser says when the network may be back, or the device awake.
HOPES = [
    ("window", "online"),
    ("window", "pageshow"),
    ("document", "visibilitychange"),
]

# What the server may say of itself, and how that looks in a link.
ADDRESSES = {
    "192.0.2.7": "192.0.2.7",
    "2001:db8::7": "[2001:db8::7]",
    None: "127.0.0.1",
}

LOST = "Reconnecting…"
STOPPED = "The server has stopped, and this game is gone."
TAKEN = "Both seats are taken"
GONE = "This game is gone. You can start a new one."


class Relay:
    """
    The network between browsers and the games, which fails when it's told to.

    Frozen, it accepts connections, but nothing gets through, and nothing is
    lost: all that was sent arrives after the thaw. Dropped, it ends all
    connections without a word, and new ones as soon as they come.

    """

    def __init__(self, port):
        self.port = port  # of the games
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


async def serve_pair(serve_page, serve_next):
    """Start two servers, on a port that the system chooses and on the next."""
    while True:
        page = await serve_page(0)
        port = page.sockets[0].getsockname()[1]
        try:
            return page, await serve_next(port + 1)
        except OSError:  # somebody else has the next port
            page.close()
            await page.wait_closed()


@pytest.fixture
async def open_relay(site):
    """A function that opens another way to the site, and returns the relay."""
    servers, relays = [], []

    async def open_relay():
        relay = Relay(site.port + 1)
        page, games = await serve_pair(
            lambda port: app.serve_page("127.0.0.1", port, app.DRAINING),
            lambda port: asyncio.start_server(relay.accept, "127.0.0.1", port),
        )
        servers.extend([page, games])
        relays.append(relay)
        relay.url = f"http://127.0.0.1:{page.sockets[0].getsockname()[1]}/"
        return relay

    yield open_relay
    for relay in relays:
        relay.drop()
    for server in servers:
        server.close()
        await server.wait_closed()


def via(network, url):
    """Return the address of the page, by way of the site itself or of a relay."""
    return f"{network.url}?{urlsplit(url).query}"


def status(page):
    return page.get_by_role("status")


def rematch(page):
    return page.get_by_role("button", name="Rematch")


@contextlib.contextmanager
def within(seconds, what):
    """Measure how long something takes, and check that it isn't too long."""
    began = time.monotonic()
    yield
    taken = time.monotonic() - began
    print(f"{what}: {taken:.1f} s")
    assert taken <= seconds, what


async def expect_state(page, state):
    """Wait until the page is in a state, as its style sheet sees it."""
    await expect(page.locator("body")).to_have_attribute("data-state", state)


async def expect_refused(page):
    """Check that clicks and keys aren't taken, and that the board looks so."""
    columns = page.locator(".board").get_by_role("button", disabled=True)
    await expect(columns).to_have_count(7)
    moves = await page.locator(".cell:not(.empty)").count()
    await columns.nth(2).dispatch_event("click")
    await page.keyboard.press("3")
    await expect(page.locator(".cell:not(.empty)")).to_have_count(moves)


async def click(page, column):
    """Click a column, whatever comes of it."""
    await page.locator(f".column[data-column='{column}']").click()


async def recall_seat(page):
    """Return the key of the first player's seat, which the browser keeps."""
    key = await page.evaluate("localStorage.getItem('seat at /')")
    KEYS.add(key)
    return key


async def duplicate(page, connections):
    """Duplicate a tab, with its session, and list who connects from then on."""
    async with page.context.expect_page() as opened:
        await page.evaluate("() => { window.open(location.href); }")
    tab = await opened.value
    await expect_status(tab, TAKEN)
    tab.on("websocket", lambda _: connections.append("second"))
    page.on("websocket", lambda _: connections.append("first"))
    await tab.reload()
    await expect_status(tab, TAKEN)
    return tab


async def stop_clock(page):
    """Load a page again with its clock stopped; it does nothing in its own time."""
    await page.clock.install(time=0)
    await page.clock.pause_at(1000)
    await page.reload()


def kill(server):
    """End all connections of a server without a word, and accept no more."""
    server.close(close_connections=False)
    for connection in server.connections:
        connection.transport.abort()


async def listen(page):
    """Return a list, in the page, of what the status says from now on."""
    return await status(page).evaluate_handle("""(status) => {
        const heard = [];
        new MutationObserver(() => heard.push(status.textContent))
            .observe(status, { childList: true, characterData: true, subtree: true });
        return heard;
    }""")


async def agree_on_rematch(red, yellow):
    """Let red ask for a rematch, and yellow as well."""
    await rematch(red).click()
    await expect_status(red, "You asked for a rematch.")
    await expect_status(yellow, "Red wants a rematch.")
    await rematch(yellow).click()
    await expect_status(yellow, "Your turn.")


# Reload


async def test_red_comes_back_after_a_reload(open_page, site):
    red, join, _ = await start(open_page)
    yellow = await open_page(join)
    addresses = [red.url]
    red.on("framenavigated", lambda frame: addresses.append(frame.url))
    await play_all(red, yellow, [3, 3])
    await red.reload()
    await expect_status(red, "You are red.")
    await expect_board(red, [3, 3])
    await play(red, 4)
    await red.goto(site.url)
    await expect_status(red, "You are red.")
    await expect_board(red, [3, 3, 4])
    await play_all(yellow, red, [2, 2])
    await expect_board(yellow, [3, 3, 4, 2, 2])
    assert set(addresses) == {site.url}


async def test_yellow_comes_back_after_a_reload(open_page):
    red, join, _ = await start(open_page)
    yellow = await open_page(join)
    await play_all(red, yellow, [3, 3, 4])
    await yellow.reload()
    await expect_status(yellow, "You are yellow.")
    await expect_board(yellow, [3, 3, 4])
    assert yellow.url != join
    await yellow.goto(yellow.url)
    await expect_board(yellow, [3, 3, 4])
    await play(yellow, 2)
    await expect_board(red, [3, 3, 4, 2])


async def test_spectator_comes_back_after_a_reload(open_page):
    red, _, watch = await start(open_page)
    await play(red, 3)
    spectator = await open_page(watch)
    await spectator.reload()
    await expect_status(spectator, "You are watching.")
    await expect_board(spectator, [3])


async def test_copied_address_starts_a_new_game(open_page):
    red, join, _ = await start(open_page)
    await play(red, 3)
    key = await recall_seat(red)
    assert key not in red.url + join
    somebody, other_join, _ = await start(open_page, url=red.url)
    await expect_board(somebody, [])
    await expect_status(somebody, "You move first.")
    assert other_join != join
    await expect_status(red, "Waiting for yellow to join.")


# Lost connections


async def test_dropped_connection_mends_itself(open_page, open_relay):
    relay = await open_relay()
    red, join, _ = await start(open_page)
    yellow = await open_page(via(relay, join))
    await play_all(red, yellow, [3, 3, 3])
    await expect_status(yellow, "Your turn.")
    relay.drop()
    await expect_status(yellow, LOST)
    await expect(status(yellow)).not_to_contain_text(STOPPED)
    await expect_state(yellow, "reconnecting")
    await expect_refused(yellow)
    await expect_status(red, "Yellow has left and may come back.")
    relay.resume()
    await expect_status(red, "Yellow is back.")
    await expect_board(yellow, [3, 3, 3])
    await play_all(yellow, red, [3, 4])
    await expect_board(yellow, [3, 3, 3, 3, 4])
    await expect_board(red, [3, 3, 3, 3, 4])


async def test_move_that_did_not_arrive_can_be_made_again(open_page, open_relay):
    relay = await open_relay()
    red, join, _ = await start(open_page)
    yellow = await open_page(via(relay, join))
    await play(red, 3)
    await expect_status(yellow, "Your turn.")
    relay.freeze()
    await click(yellow, 3)
    await expect_refused(yellow)
    relay.drop()
    await expect_status(red, "Yellow has left and may come back.")
    relay.resume()
    await play(yellow, 4)
    await expect_board(yellow, [3, 4])
    await expect_board(red, [3, 4])


async def test_move_whose_answer_did_not_arrive_is_made_once(open_page, open_relay):
    relay = await open_relay()
    red, join, _ = await start(open_page)
    yellow = await open_page(via(relay, join))
    await play(red, 3)
    await expect_status(yellow, "Your turn.")
    relay.freeze(relay.downward)
    await click(yellow, 3)
    await expect_board(red, [3, 3])
    await expect_refused(yellow)
    relay.drop()
    await expect_status(yellow, LOST)
    await play(red, 4)
    relay.resume()
    await expect_board(yellow, [3, 3, 4])
    await play(yellow, 5)
    await expect_board(red, [3, 3, 4, 5])


async def test_page_reconnects_at_once_when_there_is_hope(open_page, open_relay):
    relay = await open_relay()
    _, join, _ = await start(open_page)
    yellow = await open_page(via(relay, join))
    await stop_clock(yellow)
    await expect_status(yellow, "You are yellow.")
    for target, event in HOPES:
        relay.drop()
        await expect_status(yellow, LOST)
        relay.resume()
        await yellow.evaluate(f"{target}.dispatchEvent(new Event('{event}'))")
        await expect_status(yellow, "You are yellow.")


async def test_browser_that_is_online_again_reconnects_at_once(open_page, open_relay):
    relay = await open_relay()
    _, join, _ = await start(open_page)
    yellow = await open_page(via(relay, join))
    await stop_clock(yellow)
    await expect_status(yellow, "You are yellow.")
    await yellow.context.set_offline(True)
    relay.drop()
    await expect_status(yellow, LOST)
    relay.resume()
    await yellow.context.set_offline(False)
    await expect_status(yellow, "You are yellow.")


async def test_page_that_wakes_finds_out_that_its_connection_is_dead(
    open_page, open_relay
):
    relay = await open_relay()
    _, join, _ = await start(open_page)
    yellow = await open_page(via(relay, join))
    await stop_clock(yellow)
    await expect_status(yellow, "You are yellow.")
    relay.freeze()
    await yellow.evaluate("document.dispatchEvent(new Event('visibilitychange'))")
    await yellow.clock.run_for(3000)
    await expect_status(yellow, LOST)
    relay.thaw()
    await yellow.clock.resume()
    await expect_status(yellow, "You are yellow.")


async def test_page_that_is_online_again_does_not_wait_for_an_old_attempt(
    open_page, open_relay
):
    relay = await open_relay()
    _, join, _ = await start(open_page)
    yellow = await open_page(via(relay, join))
    await stop_clock(yellow)
    await expect_status(yellow, "You are yellow.")
    relay.drop()
    await expect_status(yellow, LOST)
    relay.freeze()
    relay.dropped = False
    async with yellow.expect_websocket():
        await yellow.clock.run_for(2000)
    relay.lose()
    await yellow.evaluate("window.dispatchEvent(new Event('online'))")
    await expect_status(yellow, "You are yellow.")


async def test_frozen_networks_are_noticed_and_survived(open_page, open_relay, site):
    async def freeze_second_player():
        relay = await open_relay()
        red, join, _ = await start(open_page)
        yellow = await open_page(via(relay, join))
        await play_all(red, yellow, [3, 3])
        await expect_status(red, "Your turn.")
        relay.freeze()
        thaw = asyncio.create_task(asyncio.sleep(FREEZE))
        await play(red, 4)
        with within(10, "second player frozen, says Reconnecting"):
            await expect_status(yellow, LOST)
        await expect_board(yellow, [3, 3])
        await expect_refused(yellow)
        await thaw
        await expect_status(yellow, LOST)
        relay.thaw()
        with within(5, f"after {FREEZE} s, board of the second player right"):
            await expect_board(yellow, [3, 3, 4])
            await play(yellow, 5)
            await expect_board(red, [3, 3, 4, 5])

    async def freeze_first_player():
        relay = await open_relay()
        red, join, _ = await start(open_page, url=relay.url)
        yellow = await open_page(via(site, join))
        await play_all(red, yellow, [3, 3])
        await expect_status(yellow, "Red's turn.")
        relay.freeze()
        with within(20, "first player frozen, second player is told"):
            await expect(status(yellow)).to_contain_text(
                "Red has left and may come back.", timeout=LONG_TIMEOUT
            )
        relay.thaw()
        with within(5, "first player thawed, second player is told"):
            await expect_status(yellow, "Red is back.")
        await play(red, 4)
        await expect_board(yellow, [3, 3, 4])

    await asyncio.gather(freeze_second_player(), freeze_first_player())


# Sleep


async def test_spectator_who_sleeps_through_a_rematch_sees_the_new_game(
    open_page, open_relay
):
    red, join, watch = await start(open_page)
    yellow = await open_page(join)
    relays = [await open_relay(), await open_relay()]
    sleepers = [await open_page(via(relay, watch)) for relay in relays]
    await play_all(red, yellow, RED_WINS[:6])
    for sleeper, relay in zip(sleepers, relays, strict=True):
        await expect_board(sleeper, RED_WINS[:6])
        relay.freeze()
    await play(red, RED_WINS[6])
    await agree_on_rematch(red, yellow)
    await play_all(yellow, red, [3, 4])
    # One gets all that was sent meanwhile, the other has lost the connection.
    relays[0].thaw()
    relays[1].drop()
    relays[1].resume()
    for sleeper in sleepers:
        await expect_board(sleeper, [3, 4], first="yellow")
        await expect_status(sleeper, "Yellow's turn.")


# The server


@pytest.mark.parametrize("killed", [False, True], ids=["stopped", "killed"])
async def test_server_that_starts_again_has_no_games(killed, open_page, site):
    red, join, watch = await start(open_page)
    yellow, spectator = await open_page(join), await open_page(watch)
    await recall_seat(red)
    everybody = red, yellow, spectator
    await play(red, 3)
    for page in everybody:
        await expect_board(page, [3])
    if killed:
        kill(site.servers[1])
    await site.stop()
    for page in everybody:
        await expect_status(page, LOST if killed else STOPPED)
        await expect(status(page)).not_to_contain_text(STOPPED if killed else LOST)
        await expect_state(page, "reconnecting" if killed else "stopped")
        new = page.locator(".new:not([aria-disabled=true])")
        await expect(new).to_be_hidden()
        await expect_refused(page)
    await site.start()
    joins = set()
    for page in everybody:
        await expect_status(page, GONE)
        await expect_refused(page)
        await page.get_by_role("link", name="New game").click()
        await expect_status(page, "You are red.")
        await expect_board(page, [])
        await play(page, 3)
        await expect_board(page, [3])
        joins.add(await link(page, "join"))
    assert len(joins - {join}) == 3


async def test_reload_forgets_a_game_that_is_gone(open_page, site):
    red, _, _ = await start(open_page)
    await recall_seat(red)
    await site.stop()
    await site.start()
    await expect_status(red, GONE)
    await red.reload()
    await expect_status(red, "Waiting for yellow to join.")


# Who is here


async def test_page_tells_for_whom_it_waits_and_how_many_watch(open_page):
    red, join, watch = await start(open_page)
    watching = red.locator(".spectators")
    await expect_status(red, "Waiting for yellow to join.")
    await expect(watching).to_be_empty()
    first = await open_page(watch)
    await expect(watching).to_have_text("1 person is watching.")
    second = await open_page(watch)
    await expect(watching).to_have_text("2 people are watching.")
    for page in (first, second):
        others = page.locator(".spectators")
        await expect(others).to_have_text("You and 1 other are watching.")
    await second.close()
    await expect(watching).to_have_text("1 person is watching.")
    await first.close()
    await expect(watching).to_be_empty()
    await open_page(join)
    await expect_status(red, "Yellow has joined.")
    await expect(status(red)).not_to_contain_text("Waiting")


async def test_third_person_with_the_join_link_can_watch(open_page):
    red, join, watch = await start(open_page)
    yellow = await open_page(join)
    await play_all(red, yellow, [3, 3])
    await expect_status(red, "Your turn.")
    heard = [await listen(page) for page in (red, yellow)]
    third = await open_page(yellow.url)
    await expect_status(third, TAKEN)
    await expect_state(third, "taken")
    await expect_refused(third)
    assert await link(third, "spectate") == watch
    await third.get_by_role("link", name="Watch this game").click()
    await expect_status(third, "You are watching.")
    await expect_board(third, [3, 3])
    await expect(red.locator(".spectators")).to_have_text("1 person is watching.")
    assert [await listener.evaluate("heard => heard") for listener in heard] == [[], []]
    await play_all(red, yellow, [4, 4])
    for page in (red, yellow, third):
        await expect_board(page, [3, 3, 4, 4])


async def test_two_tabs_on_one_seat_do_not_fight_for_it(open_page):
    red, join, _ = await start(open_page)
    yellow = await open_page(join)
    await play(red, 3)
    connections = []
    tab = await duplicate(yellow, connections)
    await asyncio.sleep(FLAPPING_TIME)
    assert connections == ["second"]
    await expect_status(tab, TAKEN)
    await expect_refused(tab)
    await play_all(yellow, red, [3, 4])
    # When the first tab is closed, the second can have the seat.
    await yellow.close()
    await expect_status(red, "Yellow has left and may come back.")
    await tab.reload()
    await play(tab, 5)
    await expect_board(red, [3, 3, 4, 5])


# Rematch


async def test_both_players_agree_on_a_rematch_and_yellow_moves_first(open_page):
    red, join, watch = await start(open_page)
    yellow, spectator = await open_page(join), await open_page(watch)
    await expect(rematch(red)).to_be_hidden()
    await play_all(red, yellow, RED_WINS)
    await expect(rematch(spectator)).to_be_hidden()
    await agree_on_rematch(red, yellow)
    for page in (red, yellow, spectator):
        await expect_board(page, [])
    await expect_status(red, "Yellow's turn.")
    await expect_status(spectator, "Yellow's turn.")
    await play_all(yellow, red, [3, 3])
    for page in (red, yellow, spectator):
        await expect_board(page, [3, 3], first="yellow")
        await expect(rematch(page)).to_be_hidden()
    assert [await link(red, name) for name in ("join", "watch")] == [join, watch]
    assert await link(yellow, "watch") == watch


async def test_rematch_asked_for_survives_a_reload(open_page):
    red, join, _ = await start(open_page)
    yellow = await open_page(join)
    await play_all(red, yellow, RED_WINS)
    await rematch(red).click()
    await expect_status(yellow, "Red wants a rematch.")
    for page in (red, yellow):
        await page.reload()
    await expect_status(red, "You asked for a rematch.")
    await expect(rematch(red)).to_be_hidden()
    await expect_status(yellow, "Red wants a rematch.")
    await rematch(yellow).click()
    await play(yellow, 3)
    await expect_board(red, [3], first="yellow")


# Links for other machines


async def test_links_of_a_page_on_localhost_work_on_other_machines(open_page):
    page, games = await serve_pair(
        lambda port: app.serve_page("0.0.0.0", port, app.DRAINING),
        lambda port: app.serve_games("0.0.0.0", port),
    )
    port = page.sockets[0].getsockname()[1]
    address = app.find_address(games) or "localhost"
    red, join, watch = await start(open_page, url=f"http://localhost:{port}/")
    for url in (join, watch):
        assert urlsplit(url).netloc == f"{address}:{port}"
    await red.close()
    for server in (page, games):
        server.close()
        await server.wait_closed()


async def test_links_have_the_address_of_the_server(open_page, site, monkeypatch):
    red, _, _ = await start(open_page)
    for address, host in ADDRESSES.items():
        monkeypatch.setattr(app, "find_address", lambda _, address=address: address)
        await red.get_by_role("link", name="New game").click()
        for name in ("join", "watch"):
            await expect(red.locator(f"a.{name}")).to_have_attribute(
                "href", re.compile(rf"^http://{re.escape(host)}:{site.port}/\?{name}=")
            )


async def test_status_does_not_say_that_somebody_came_who_has_left(open_page):
    red, address, _ = await start(open_page)
    for came in ("Yellow has joined.", "Yellow is back."):
        yellow = await open_page(address)
        await expect_status(red, came)
        address = yellow.url
        await yellow.close()
        await expect_status(red, "Yellow has left and may come back.")
        await expect(status(red)).not_to_contain_text(came)


async def test_page_does_not_wait_for_red_to_join(open_page):
    red, join, _ = await start(open_page)
    await red.close()
    await expect_status(await open_page(join), "Red has left and may come back.")


async def test_double_click_asks_for_one_rematch(open_page):
    red, join, _ = await start(open_page)
    yellow = await open_page(join)
    await play_all(red, yellow, [0, 1, 0, 1, 0, 1, 0])
    for page in (red, yellow):
        await page.get_by_role("button", name="Rematch").dblclick()
    await expect_status(yellow, "Your turn.")
    for page in (red, yellow):
        await expect(page.locator(".note")).to_be_empty()


async def test_address_with_an_endless_key_is_told_in_words(open_page, site):
    page = await open_page(f"{site.url}?watch={'a' * 2000}")
    await expect_status(page, GONE)
