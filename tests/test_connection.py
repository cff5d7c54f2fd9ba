"""
Tests of connection.js, without our server: the test is the server.

The clock of the page stands still but for ``Page.pass_time()``, so that nothing
happens by itself, and no test waits.

"""

import asyncio
import json
import re

import pytest

from helpers import TIMEOUT

CONNECT = """async () => {
    const { connect } = await import("/page/connection.js");
    window.states = [];
    window.received = [];
    const { send, reopen } = connect({
        url: "ws://127.0.0.1:1/",
        subprotocol: "connect4.v2",
        getInit: () => ({ type: "init" }),
        handleEvent: (event) => window.received.push(event),
        handleState: (state) => window.states.push(state),
    });
    Object.assign(window, { send, reopen });
}"""

WAKE = """() => {
    window.dispatchEvent(new Event("online"));
    window.dispatchEvent(new Event("pageshow"));
    document.dispatchEvent(new Event("visibilitychange"));
}"""

INIT, PING, PLAY = {"type": "init"}, {"type": "ping"}, {"type": "play", "column": 3}


class Page:
    """A page that connects, and the server's end of each of its attempts."""

    def __init__(self, page):
        self.page = page
        self.attempts = []
        self.messages = asyncio.Queue()

    async def connect(self, url):
        def accept(websocket):
            number = len(self.attempts)
            self.attempts.append(websocket)
            websocket.on_message(
                lambda message: self.messages.put_nowait((number, json.loads(message)))
            )

        await self.page.route_web_socket(re.compile("^ws:"), accept)
        await self.page.goto(url + "page/favicon.svg")
        await self.page.clock.install(time=0)
        await self.page.clock.pause_at(1000)
        await self.page.evaluate(CONNECT)

    async def expect(self, number, *events):
        """Wait for what the page sends on its attempt of this number."""
        for event in events:
            async with asyncio.timeout(TIMEOUT):
                assert await self.messages.get() == (number, event)

    async def open(self, number=0):
        """Let the page know that an attempt has succeeded."""
        await self.expect(number, INIT)
        await self.tell(number, {"type": "start"})

    async def tell(self, number, event):
        self.attempts[number].send(json.dumps(event))
        if event["type"] != "pong":
            await self.page.wait_for_function(
                "event => JSON.stringify(window.received.at(-1)) === event",
                arg=json.dumps(event, separators=(",", ":")),
            )

    async def pass_time(self, milliseconds):
        await self.page.clock.run_for(milliseconds)

    async def close(self, number, code):
        """Close a connection; the page knows it in its next state."""
        states = len(await self.states())
        await self.attempts[number].close(code=code)
        await self.page.wait_for_function(f"() => window.states.length > {states}")

    async def states(self):
        return await self.page.evaluate("window.states")

    async def wake(self):
        await self.page.evaluate(WAKE)


@pytest.fixture
async def page(open_page, site):
    """A page whose first attempt has begun."""
    page = Page(await open_page("about:blank"))
    await page.connect(site.url)
    return page


async def test_first_event_is_sent_on_each_connection(page):
    await page.open()
    await page.close(0, 1011)
    await page.pass_time(500)
    await page.open(1)
    assert await page.states() == ["open", "reconnecting", "open"]


@pytest.mark.parametrize("code", [1000, 1008, 1009])
async def test_server_may_close_for_good(page, code):
    await page.open()
    await page.close(0, code)
    await page.pass_time(60_000)
    await page.wake()
    assert await page.states() == ["open", "closed"]
    assert len(page.attempts) == 1


async def test_server_that_stops_is_said_to_be_stopped_until_it_answers(page):
    await page.open()
    await page.close(0, 1001)
    await page.pass_time(500)
    await page.expect(1, INIT)
    await page.attempts[1].close(code=1011)
    await page.pass_time(1000)
    await page.expect(2, INIT)
    assert await page.states() == ["open", "stopped"]
    await page.tell(2, {"type": "start"})
    assert await page.states() == ["open", "stopped", "open"]


async def test_page_may_begin_again_when_the_server_has_closed_for_good(page):
    await page.open()
    await page.close(0, 1000)
    await page.page.evaluate("window.reopen()")
    await page.open(1)
    assert await page.states() == ["open", "closed", "open"]


async def test_new_connection_is_not_asked_for_a_sign_of_life_of_the_old_one(page):
    await page.open()
    await page.page.evaluate("window.reopen()")
    await page.expect(1, INIT)
    await page.pass_time(3000)
    assert page.messages.empty()


async def test_silence_is_noticed_after_a_ping_without_an_answer(page):
    await page.open()
    await page.pass_time(2999)
    assert page.messages.empty()
    await page.pass_time(1)
    await page.expect(0, PING)
    await page.tell(0, {"type": "pong"})
    await page.tell(0, {"type": "news"})
    assert await page.page.evaluate("window.received.length") == 2
    await page.pass_time(3000)
    await page.expect(0, PING)
    await page.pass_time(2999)
    assert await page.states() == ["open"]
    await page.pass_time(1)
    assert await page.states() == ["open", "reconnecting"]


async def test_attempts_on_a_slow_link_are_given_more_time_each(page):
    # The link takes 5 s to answer, and the first attempt is given up after 4.
    await page.expect(0, INIT)
    await page.pass_time(3999)
    assert await page.states() == []
    await page.pass_time(1)
    assert await page.states() == ["reconnecting"]
    await page.pass_time(500)
    await page.expect(1, INIT)
    await page.pass_time(5000)
    await page.tell(1, {"type": "start"})
    assert await page.states() == ["reconnecting", "open"]
    # Once one has succeeded, the failures are counted anew.
    await page.close(1, 1011)
    await page.pass_time(500)
    await page.expect(2, INIT)
    await page.pass_time(8000)
    await page.pass_time(1000)
    await page.expect(3, INIT)


async def test_page_that_wakes_up_makes_one_attempt(page):
    await page.open()
    await page.close(0, 1011)
    await page.wake()
    await page.expect(1, INIT)
    # It leaves an attempt alone that has sent its first event, however old.
    await page.pass_time(2000)
    await page.wake()
    await page.tell(1, {"type": "start"})
    assert len(page.attempts) == 2
    assert page.messages.empty()


async def test_page_that_wakes_up_asks_whether_the_server_is_there(page):
    await page.open()
    await page.wake()
    await page.expect(0, PING, PING, PING)
    assert len(page.attempts) == 1


async def test_nothing_is_sent_unless_the_connection_is_open(page):
    play = f"window.send({json.dumps(PLAY)})"
    await page.expect(0, INIT)
    await page.page.evaluate(play)
    await page.tell(0, {"type": "start"})
    await page.page.evaluate(play)
    await page.expect(0, PLAY)
    await page.close(0, 1011)
    await page.page.evaluate(play)
    await page.pass_time(500)
    await page.open(1)
    assert page.messages.empty()


async def test_attempt_that_was_given_up_is_ignored(page):
    await page.expect(0, INIT)
    await page.pass_time(4000)
    await page.pass_time(500)
    await page.open(1)
    await page.attempts[0].close(code=1000)
    await page.tell(1, {"type": "news"})
    assert await page.states() == ["reconnecting", "open"]
