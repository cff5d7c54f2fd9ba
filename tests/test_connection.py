"""
connection.js without our server: the test is the server, and it controls the time.

The clock of the page stands still but for ``Line.pass_time()``, so that nothing happens
by itself, and no test waits.

"""

import asyncio
import json
import re

import pytest

from helpers import TIMEOUT

CONNECT = """async () => {
    const { connect } = await import("/page/connection.js");
    Object.assign(window, { states: [], received: [] }, connect({
        url: "ws://127.0.0.1:1/",
        subprotocol: "connect4.v2",
        getInit: () => ({ type: "init" }),
        handleEvent: (event) => received.push(event),
        handleState: (state) => states.push(state),
    }));
}"""

# What the browser says when the network may be back, or the device awake.
WAKE = """() => {
    window.dispatchEvent(new Event("online"));
    window.dispatchEvent(new Event("pageshow"));
    document.dispatchEvent(new Event("visibilitychange"));
}"""

INIT, PING, PLAY = {"type": "init"}, {"type": "ping"}, {"type": "play", "column": 3}


class Line:
    """A page that connects, and the server's end of each of its attempts."""

    def __init__(self, page):
        self.page = page
        self.attempts = []
        self.messages = asyncio.Queue()

    async def begin(self):
        await self.page.route_web_socket(re.compile("^ws:"), self.accept)
        await self.page.clock.install(time=0)
        await self.page.clock.pause_at(1000)
        await self.page.evaluate(CONNECT)

    def accept(self, websocket):
        number = len(self.attempts)
        self.attempts.append(websocket)
        websocket.on_message(
            lambda message: self.messages.put_nowait((number, json.loads(message)))
        )

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
            last = "type => received.at(-1)?.type === type"
            await self.page.wait_for_function(last, arg=event["type"])

    async def pass_time(self, milliseconds):
        await self.page.clock.run_for(milliseconds)

    async def close(self, number, code):
        """Close a connection; the page knows it in its next state."""
        count = len(await self.states())
        await self.attempts[number].close(code=code)
        await self.page.wait_for_function("count => states.length > count", arg=count)

    async def states(self):
        return await self.page.evaluate("states")

    async def wake(self):
        await self.page.evaluate(WAKE)

    async def reopen(self):
        await self.page.evaluate("reopen()")

    async def send(self, event):
        await self.page.evaluate("event => send(event)", event)


@pytest.fixture
async def line(stage):
    """A page whose first attempt has begun."""
    line = Line(await stage())
    await line.begin()
    return line


async def test_nothing_is_sent_unless_the_connection_is_open_but_the_first_event(line):
    await line.expect(0, INIT)
    await line.send(PLAY)
    await line.tell(0, {"type": "start"})
    await line.send(PLAY)
    await line.expect(0, PLAY)
    await line.close(0, 1011)
    await line.send(PLAY)
    await line.pass_time(500)
    await line.open(1)
    assert line.messages.empty()
    assert await line.states() == ["open", "reconnecting", "open"]


async def test_server_may_close_for_good_and_the_page_may_begin_again(line):
    for number, code in enumerate([1000, 1008, 1009]):
        await line.open(number)
        await line.close(number, code)
        await line.pass_time(60_000)
        await line.wake()
        assert len(line.attempts) == number + 1
        await line.reopen()
    assert await line.states() == ["open", "closed"] * 3


async def test_server_that_stops_is_said_to_be_stopped_until_it_answers(line):
    await line.open()
    await line.close(0, 1001)
    await line.pass_time(500)
    await line.expect(1, INIT)
    await line.attempts[1].close(code=1011)
    await line.pass_time(1000)
    await line.expect(2, INIT)
    assert await line.states() == ["open", "stopped"]
    await line.tell(2, {"type": "start"})
    assert await line.states() == ["open", "stopped", "open"]


async def test_new_connection_is_not_asked_for_a_sign_of_life_of_the_old_one(line):
    await line.open()
    await line.reopen()
    await line.expect(1, INIT)
    await line.pass_time(3000)
    assert line.messages.empty()


async def test_silence_is_noticed_after_a_ping_without_an_answer(line):
    await line.open()
    await line.pass_time(2999)
    assert line.messages.empty()
    await line.pass_time(1)
    await line.expect(0, PING)
    await line.tell(0, {"type": "pong"})
    await line.tell(0, {"type": "news"})
    assert await line.page.evaluate("received.length") == 2
    await line.pass_time(3000)
    await line.expect(0, PING)
    await line.pass_time(2999)
    assert await line.states() == ["open"]
    await line.pass_time(1)
    assert await line.states() == ["open", "reconnecting"]


async def test_attempts_on_a_slow_link_are_given_more_time_each(line):
    # The link takes 5 s to answer, and the first attempt is given up after 4.
    await line.expect(0, INIT)
    await line.pass_time(3999)
    assert await line.states() == []
    await line.pass_time(1)
    assert await line.states() == ["reconnecting"]
    await line.pass_time(500)
    await line.expect(1, INIT)
    await line.pass_time(5000)
    await line.tell(1, {"type": "start"})
    assert await line.states() == ["reconnecting", "open"]
    # Once one has succeeded, the failures are counted anew.
    await line.close(1, 1011)
    await line.pass_time(500)
    await line.expect(2, INIT)
    await line.pass_time(8000)
    await line.pass_time(1000)
    await line.expect(3, INIT)


async def test_page_that_wakes_up_makes_one_attempt(line):
    await line.open()
    await line.close(0, 1011)
    await line.wake()
    await line.expect(1, INIT)
    # It leaves an attempt alone that has sent its first event, however old.
    await line.pass_time(2000)
    await line.wake()
    await line.tell(1, {"type": "start"})
    assert len(line.attempts) == 2
    assert line.messages.empty()


async def test_page_that_wakes_up_asks_whether_the_server_is_there(line):
    await line.open()
    await line.wake()
    await line.expect(0, PING, PING, PING)
    assert len(line.attempts) == 1


async def test_attempt_that_was_given_up_is_ignored(line):
    await line.expect(0, INIT)
    await line.pass_time(4000)
    await line.pass_time(500)
    await line.open(1)
    await line.attempts[0].close(code=1000)
    await line.tell(1, {"type": "news"})
    assert await line.states() == ["reconnecting", "open"]
