"""connection.js, with the test in the place of the server and of the clock."""

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
        handleEvent: ({ type }) => received.push(type),
        handleState: (state) => states.push(state),
    }));
}"""

# What happens in the page: the network may be back, or the device awake, and so on.
ACTS = {
    "wake": """["online", "pageshow", "visibilitychange"].forEach((name) =>
        document.dispatchEvent(new Event(name, { bubbles: true })))""",
    "send": "send({ type: 'play' })",
    "reopen": "reopen()",
}

# Stories, and the states of the connection that are told. What the page sends on its
# newest attempt is "init", "ping" or "play", until it's "quiet"; what the server sends
# there is "start", "news", "error" or "pong", or the code with which it closes: "1000",
# or "1000@0" on the first attempt. From "hold" to "release" it answers no new attempt;
# "+500" are milliseconds that pass.
STORIES = {
    "first event is sent on each connection, and nothing unless it is open": """
        init send start send play 1011 send +500 init start
        | open reconnecting open""",
    "server may close for good, and the page may begin again": """
        init start 1000 +60000 wake quiet reopen init start 1008 +60000 wake quiet
        reopen init start 1009 +60000 wake
        | open closed open closed open closed""",
    "server that stops is said to be stopped until it answers": """
        init start 1001 +500 init 1011 +1000 init start | open stopped open""",
    "new connection is not asked for a sign of life of the old one": """
        init start reopen init +3000 | open""",
    "silence is noticed after a ping without an answer": """
        init start +2999 quiet +1 ping pong news +3000 ping +2999 quiet +1
        | open reconnecting""",
    "attempts on a slow link are given more time each": """
        init +3999 quiet +1 +500 init +5000 start 1011 +500 init +7999 quiet +1 +1000
        init
        | reconnecting open reconnecting""",
    "error is no success, after which failures are counted anew": """
        init 1011 +500 init error 1011 +499 quiet +501 init start 1011 +500 init
        | reconnecting open reconnecting open reconnecting""",
    "page that wakes up makes one attempt, and leaves it alone": """
        init start 1011 wake init +2000 wake start | open reconnecting open""",
    "page that wakes up asks whether the server is there": """
        init start wake ping ping ping | open""",
    "page that wakes up does not wait for an answer to an old attempt": """
        init start 1011 hold +3000 release wake init start
        | open reconnecting open""",
    "attempt that was given up is ignored": """
        init +4000 +500 init start 1000@0 news | reconnecting open""",
}


class Line:
    """A page that connects, and the server's end of each of its attempts."""

    def __init__(self, page):
        self.page = page
        self.attempts = []
        self.messages = asyncio.Queue()
        self.is_held = False
        self.end = asyncio.Event()

    async def accept(self, websocket):
        if self.is_held:
            await self.end.wait()
        self.attempts.append(websocket)
        number = len(self.attempts)
        websocket.on_message(
            lambda message: self.messages.put_nowait((number, json.loads(message)))
        )

    async def follow(self, step):
        if step == "quiet":
            assert self.messages.empty()
        elif step in ("init", "ping", "play"):
            async with asyncio.timeout(TIMEOUT):
                message = await self.messages.get()
            assert message == (len(self.attempts), {"type": step})
        elif step in ("hold", "release"):
            self.is_held = step == "hold"
        elif step in ACTS:
            await self.page.evaluate(ACTS[step])
        elif step[0] == "+":
            await self.page.clock.run_for(int(step))
        elif step[0].isdigit():
            code, _, number = step.partition("@")
            await self.attempts[int(number or -1)].close(code=int(code))
        else:
            self.attempts[-1].send(json.dumps({"type": step}))
            if step != "pong":
                last = "type => received.at(-1) === type"
                await self.page.wait_for_function(last, arg=step)


@pytest.mark.parametrize("story", STORIES.values(), ids=STORIES.keys())
async def test_connection_mends_itself(stage, story):
    line = Line(page := await stage())
    await page.route_web_socket(re.compile("^ws:"), line.accept)
    await page.clock.install(time=0)
    await page.clock.pause_at(1000)
    await page.evaluate(CONNECT)
    steps, states = story.split("|")
    for step in steps.split():
        await line.follow(step)
    assert await page.evaluate("states") == states.split()
    assert line.messages.empty()
    assert len(line.attempts) == steps.split().count("init")
    line.end.set()
