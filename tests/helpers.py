"""What the tests have in common but for the fixtures: clients, servers, games."""

import asyncio
import collections
import contextlib
import json
import os
import random
import re
import signal
import socket
import time

from websockets.asyncio.client import connect

import app
from events import NOT_FOUND, PING, PONG, played, present
from serving import HERE, SUBPROTOCOL, listen

TIMEOUT = 20  # seconds, on a busy machine

# Columns in which players drop checkers in turn, so that red wins with the last
# one, so that yellow does, and so that nobody wins.
RED_WINS = [0, 1, 0, 1, 0, 1, 0]
YELLOW_WINS = [6, *RED_WINS]
DRAWN = [int(column) for column in "063055116230561251554304342313166024464022"]

# The options of a client that knows the subprotocol.
V2 = {"subprotocols": [SUBPROTOCOL]}

# All the keys that were ever handed out to a client.
KEYS = set()

# Clients


class Client:
    """Somebody at the other end of a connection, who speaks in events."""

    def __init__(self, websocket):
        self.websocket = websocket
        self.init = None  # the last event of this type that it received

    async def send(self, event):
        """Send an event, or any text or bytes just as they are."""
        if isinstance(event, dict):
            event = json.dumps(event)
        await self.websocket.send(event)

    async def play(self, column):
        await self.send({"type": "play", "column": column})

    async def ask(self):
        """Ask for a rematch."""
        await self.send({"type": "rematch"})

    async def open_seat(self, player):
        await self.send({"type": "open", "player": player})

    async def receive(self, kind=None):
        """Return the next event, or the next one of a kind."""
        async with asyncio.timeout(TIMEOUT):
            event = json.loads(await self.websocket.recv())
        names = "join", "watch", "rejoin", "code"
        KEYS.update(event[name] for name in names if event.get(name))
        if event["type"] == "init":
            self.init = event
        return event if kind in (None, event["type"]) else await self.receive(kind)

    async def receive_until(self, event):
        """Receive events until this one has come."""
        while await self.receive() != event:
            pass

    async def hear(self):
        """Return all the events that the server has sent and nobody received yet."""
        # Whoever may not send a ping sends what is always refused.
        is_page, events = self.websocket.subprotocol is not None, []
        await self.send(PING if is_page else b"?")
        while (event := await self.receive()) != PONG:
            if not is_page and "An event is text" in event.get("message", ""):
                break
            events.append(event)
        return events

    async def expect(self, *events):
        """Receive events, and check that they are just these."""
        assert [await self.receive() for _ in events] == list(events)

    async def expect_error(self, text=""):
        """Receive an error, and check that it's a sentence that contains a text."""
        event = await self.receive()
        assert event["type"] == "error"
        assert text in event["message"]
        assert len(event["message"].split()) > 2

    async def expect_close(self, code):
        """Check that the server closes the connection, with this code."""
        async with asyncio.timeout(TIMEOUT):
            await self.websocket.wait_closed()
        assert self.websocket.close_code == code

    async def expect_refusal(self, event=NOT_FOUND):
        """Check that whoever came is told why not, and is sent away."""
        await self.expect(event)
        await self.expect_close(1000)

    async def close(self):
        await self.websocket.close()

    def vanish(self):
        """End the connection without a word, as a crash does."""
        self.websocket.transport.abort()

    def freeze(self):
        """Receive nothing from now on, not even pings."""
        self.websocket.transport.pause_reading()

    def thaw(self):
        self.websocket.transport.resume_reading()


async def expect_all(clients, *events):
    """Check that each of some clients receives just these events, and no more."""
    for client in clients:
        await client.expect(*events)
    for client in clients:
        assert await client.hear() == []


async def play_moves(red, yellow, columns, first="red", then=()):
    """Play moves; both players receive them, and what is said to follow."""
    players = {"red": red, "yellow": yellow}
    for event in played(*columns, first=first):
        await players[event["player"]].play(event["column"])
        for player in (red, yellow):
            await player.expect(event)
    for player in (red, yellow):
        await player.expect(*then)


# Servers

# A request that somebody begins and doesn't end.
HALF = b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\n"

Answer = collections.namedtuple("Answer", "status headers body")


class Server:
    """A live server, the clients that a test has connected to it, and raw requests."""

    trust = None  # what TLS goes by, if there is TLS

    def __init__(self, server=None, port=None, host="127.0.0.1"):
        self.server = server
        self.port = port or server.sockets[0].getsockname()[1]
        self.host = host
        self.address = f"ws://{host}:{self.port}/"
        self.clients = []

    async def connect(self, path="", *, address=None, **options):
        """Connect a client that doesn't say who it is yet."""
        # Who has not received all messages isn't waited for.
        limits = {"ping_interval": None, "max_queue": None, "close_timeout": 1}
        options = {"compression": None, "ssl": self.trust, **limits, **options}
        client = Client(await connect(f"{address or self.address}{path}", **options))
        self.clients.append(client)
        return client

    async def enter(self, event, **options):
        """Connect a client, and have it say who it is by what an init event has."""
        client = await self.connect(**options)
        await client.send({"type": "init", **event})
        return client

    async def start(self, **options):
        """Connect a first player; return the client and its init event."""
        client = await self.enter({}, **options)
        return client, await client.receive()

    async def join(self, join_key, **options):
        return await self.enter({"join": join_key}, **options)

    async def watch(self, watch_key, **options):
        return await self.enter({"watch": watch_key}, **options)

    async def start_base_game(self):
        """Return both players of a new game in the base protocol, and a spectator."""
        red, init = await self.start()
        clients = red, await self.join(init["join"]), await self.watch(init["watch"])
        await expect_all(clients)
        return clients

    async def start_game(self):
        """Return both players of a new game, who know of each other."""
        red, init = await self.start(**V2)
        yellow = await self.join(init["code"], **V2)
        for player in (red, yellow):
            await player.receive_until(present("red", "yellow"))
        return red, yellow

    async def watch_game(self, *players):
        """Return a spectator of their game, when all of them know that they watch."""
        spectator = await self.watch(players[0].init["watch"], **V2)
        told = await spectator.receive("presence")
        for player in players:
            await player.receive_until(told)
        return spectator

    async def come_back(self, client, **options):
        """Connect again, with the key that a client was given last."""
        way, name = ("join", "rejoin") if "rejoin" in client.init else ("watch",) * 2
        return await self.enter({way: client.init[name]}, **{**V2, **options})

    @contextlib.asynccontextmanager
    async def departure(self):
        """Wait until the server has dealt with a client that leaves in this block."""
        handlers = set(self.server.handler_tasks)
        yield
        async with asyncio.timeout(TIMEOUT):
            await asyncio.wait(handlers, return_when=asyncio.FIRST_COMPLETED)

    async def leave(self, *clients):
        """Let clients leave, one after the other."""
        for client in clients:
            async with self.departure():
                await client.close()

    @contextlib.asynccontextmanager
    async def open(self, data=HALF, end=False):
        """Send some bytes, maybe as the last ones; give what reads, and writes more."""
        async with asyncio.timeout(TIMEOUT):
            where = self.host, self.port
            reader, writer = await asyncio.open_connection(*where, ssl=self.trust)
            with contextlib.closing(writer):
                writer.write(data)
                if end:
                    writer.write_eof()
                yield reader, writer

    async def exchange(self, data, end=False):
        """Send some bytes, maybe as the last ones, and return all that come back."""
        async with self.open(data, end) as (reader, _):
            return await reader.read()

    async def request(self, path, *headers, method="GET"):
        """Send a request, and return the answer, in which no header comes twice."""
        close = f"Host: {self.host}:{self.port}", "Connection: close"
        lines = [f"{method} {path} HTTP/1.1", *close, *headers, "", ""]
        data = await self.exchange("\r\n".join(lines).encode("latin-1"))
        head, _, body = data.partition(b"\r\n\r\n")
        status, *lines = head.decode().split("\r\n")
        headers = dict(line.split(": ", 1) for line in lines)
        assert len(headers) == len(lines)
        return Answer(int(status.split()[1]), headers, body)


def left_matches():
    """Return the matches to which nobody is connected."""
    return {match for match in app.WATCH.values() if not match.connected}


def forget_all():
    """Forget all matches, at which nobody may be connected any more."""
    matches, left = {*app.WATCH.values()}, left_matches()
    for match in matches:
        app.forget(match)
    assert matches == left
    assert (app.JOIN, app.WATCH, app.WAITING) == ({}, {}, {})
    # As long as anything is untold, it's going to be told in a moment.
    app.UNSAVED.clear()


class Site:
    """A live server of the page and the games, that may stop and come back."""

    port = 0

    async def start(self):
        """Start the server: on any port the first time, then on the same."""
        self.server = await listen(app.handler, "127.0.0.1", self.port)
        await self.server.start_serving()
        self.port = self.server.sockets[0].getsockname()[1]

    async def stop(self):
        """Stop the server. The matches stay, as if they came from the file."""
        self.server.close()
        async with asyncio.timeout(TIMEOUT):
            await self.server.wait_closed()

    async def cut(self):
        """Let nobody reach the server until it starts again; games go on."""
        connections = self.server.connections
        self.server.close(close_connections=False)
        for connection in connections:
            connection.drop()
        await self.stop()

    @property
    def url(self):
        return f"http://127.0.0.1:{self.port}/"


# Processes


async def execute(*command, cwd=HERE):
    """Start a process in a folder, with the settings of Python that are everybody's."""
    pipe = asyncio.subprocess.PIPE
    env = {name: os.environ[name] for name in os.environ if name[:6] != "PYTHON"}
    return await asyncio.create_subprocess_exec(
        *map(str, command), cwd=cwd, env=env, stdout=pipe, stderr=pipe
    )


async def result(process):
    """Wait for a process; return its exit status, and what it wrote where."""
    try:
        async with asyncio.timeout(TIMEOUT):
            output, errors = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
    return process.returncode, output.decode(), errors.decode()


def free_port():
    """Return a port that is free on all interfaces, and so is the next."""
    while True:
        # Below those that the system gives to clients, which come and go.
        port = random.randrange(10_000, 32_000)
        with contextlib.suppress(OSError):
            with socket.create_server(("", port)), socket.create_server(("", port + 1)):
                return port


class Program(Server):
    """The program in a process of its own, and the clients connected to it."""

    def __init__(self, process, port):
        super().__init__(port=port)
        self.process = process
        self.text = ""  # what it says before it's ready

    async def stop(self, number=signal.SIGTERM, errors=""):
        """Stop the program by a signal, and check that it ends well and in time."""
        began = time.monotonic()
        self.process.send_signal(number)
        status, output, complaints = await result(self.process)
        assert (status, output) == (0, "")
        assert re.fullmatch(errors, complaints)
        assert time.monotonic() - began < 8  # even when all are busy

    async def kill(self):
        """End the program as a loss of power does, but for the disk."""
        self.process.kill()
        async with asyncio.timeout(TIMEOUT):
            await self.process.wait()
