"""What the tests have in common but for the fixtures: clients, servers, games."""

import asyncio
import contextlib
import json

import pytest
from websockets.asyncio.client import connect

import app

TIMEOUT = 10  # seconds

# Columns in which players drop checkers in turn, so that red wins with the last
# one, and so that nobody wins.
RED_WINS = [0, 1, 0, 1, 0, 1, 0]
DRAWN = [int(column) for column in "063055116230561251554304342313166024464022"]

# The options of a client that knows the extension.
V2 = {"subprotocols": [app.EXTENSION]}

# All the keys that were ever handed out to a client.
KEYS = set()


class Client:
    """Somebody at the other end of a connection, who speaks in events."""

    def __init__(self, websocket):
        self.websocket = websocket

    async def send(self, event):
        """Send an event, or any text or bytes just as they are."""
        if isinstance(event, dict):
            event = json.dumps(event)
        await self.websocket.send(event)

    async def play(self, column):
        await self.send({"type": "play", "column": column})

    async def receive(self):
        """Return the next event."""
        async with asyncio.timeout(TIMEOUT):
            event = json.loads(await self.websocket.recv())
        KEYS.update(
            event[name] for name in ("join", "watch", "rejoin") if name in event
        )
        return event

    async def expect(self, *events):
        """Receive events, and check that they are just these."""
        assert [await self.receive() for _ in events] == list(events)

    async def expect_error(self, text=""):
        """Receive an error, check that it contains a text, and return the event."""
        event = await self.receive()
        assert event["type"] == "error"
        assert text in event["message"]
        return event

    async def expect_nothing(self):
        """Check that the server has sent nothing that wasn't received yet."""
        async with asyncio.timeout(TIMEOUT):
            await (await self.websocket.ping())
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0):
                pytest.fail(f"unexpected: {await self.websocket.recv()}")

    async def expect_close(self, code):
        """Check that the server closes the connection, with this code."""
        async with asyncio.timeout(TIMEOUT):
            await self.websocket.wait_closed()
        assert self.websocket.close_code == code

    async def close(self):
        await self.websocket.close()

    def vanish(self):
        """End the connection without a word, as a crash does."""
        self.websocket.transport.abort()


class Server:
    """A live server, and the clients that a test has connected to it."""

    def __init__(self, server):
        self.server = server
        self.clients = []

    @property
    def port(self):
        return self.server.sockets[0].getsockname()[1]

    async def connect(self, **options):
        """Connect a client that doesn't say who it is yet."""
        # A client whose messages were not all received isn't waited for.
        defaults = {"compression": None, "ping_interval": None, "close_timeout": 1}
        options = {**defaults, **options}
        client = Client(await connect(f"ws://127.0.0.1:{self.port}/", **options))
        self.clients.append(client)
        return client

    async def start(self, **options):
        """Connect a first player; return the client and its init event."""
        client = await self.connect(**options)
        await client.send({"type": "init"})
        return client, await client.receive()

    async def join(self, join_key, **options):
        client = await self.connect(**options)
        await client.send({"type": "init", "join": join_key})
        return client

    async def watch(self, watch_key, **options):
        client = await self.connect(**options)
        await client.send({"type": "init", "watch": watch_key})
        return client

    @contextlib.asynccontextmanager
    async def departure(self):
        """Wait until the server has dealt with a client that leaves in this block."""
        handlers = set(self.server.handler_tasks)
        yield
        await asyncio.wait(
            handlers, timeout=TIMEOUT, return_when=asyncio.FIRST_COMPLETED
        )
        await forgotten()


def played(*columns, first="red"):
    """Return the "play" events of moves in these columns by alternate players."""
    players = ["red", "yellow"] if first == "red" else ["yellow", "red"]
    return [
        {
            "type": "play",
            "player": players[number % 2],
            "column": column,
            "row": columns[:number].count(column),
        }
        for number, column in enumerate(columns)
    ]


async def forgotten():
    """Wait until the server has forgotten the games that nobody can come back to."""
    loop = asyncio.get_running_loop()
    # Timers run in the order of their times, and theirs are before this one.
    later = loop.create_future()
    loop.call_later(0, later.set_result, None)
    await later


class Site:
    """A live server of the page and the games, on two ports in a row."""

    def __init__(self):
        self.servers = []
        self.port = 0

    async def start(self):
        """Start the servers: on any ports the first time, then on the same."""
        while not self.servers:
            page = await app.serve_page("127.0.0.1", self.port)
            port = page.sockets[0].getsockname()[1]
            try:
                self.servers = [page, await app.serve_games("127.0.0.1", port + 1)]
            except OSError:  # somebody else has the next port
                page.close()
                await page.wait_closed()
            else:
                self.port = port

    async def stop(self):
        """Stop the servers, as main() does, and lose all games."""
        for server in self.servers:
            server.close()
            await server.wait_closed()
        self.servers = []
        for timer in app.FORSAKEN.values():
            timer.cancel()
        app.FORSAKEN.clear()
        app.JOIN.clear()
        app.WATCH.clear()

    @property
    def url(self):
        return f"http://127.0.0.1:{self.port}/"
