#!/usr/bin/env python3
"""
Measure what the server costs, next to two others that do the same work.

Run it by hand::

    python tests/benchmark.py

The *floor* is the leanest server that we can build on the library: it forwards one
message that was encoded and framed beforehand, decodes none, compresses nothing, pings
nobody, and does nothing else; garbage is looked for as rarely as in ours. The
*tutorial's way* is a server as the tutorial leaves it, with the defaults of
the library. Each server is a process of its own, started afresh for each workload.
The servers take turns, and every figure is the median over the rounds. With
``--servers ours floor tutorial uvloop``, if uvloop is installed, ours is also
measured on that; with ``--before FOLDER``, next to the app.py in another folder.

CPU time and memory are those of the server's process alone, so that they mean
something on a busy machine as well. Moves per second and milliseconds don't:
they want a machine that is left alone.

The load comes from raw sockets that send frames built beforehand. It checks
every event that every connection receives; if one is missing, or isn't what the
rules demand, there are no figures but a message that says so.

"""

import argparse
import asyncio
import contextlib
import functools
import gc
import importlib.metadata
import itertools
import json
import logging
import math
import os
import pathlib
import platform
import random
import re
import resource
import secrets
import selectors
import socket
import statistics
import struct
import subprocess
import sys
import time
import zlib

from websockets.asyncio.server import broadcast, serve
from websockets.frames import Frame, Opcode
from websockets.protocol import State

# The folder of the server "before" is in the environment of its process.
BEFORE = "CONNECT4_BEFORE"
HERE = pathlib.Path(__file__).parent.parent
sys.path.insert(0, os.environ.get(BEFORE, str(HERE)))

import app  # noqa: E402
from connect4 import (  # noqa: E402
    COLUMNS,
    PLAYER1,
    PLAYER2,
    Connect4,
    IllegalMove,
)

# Whatever takes longer than this, in seconds, isn't going to happen any more.
TIMEOUT = 60

# How many connections are opened at a time, and how many moves growth() plays.
OPENING, PLAYING = 64, 10

# Moves are played until there are so many; fewer tell little of the CPU time.
MOVES = {"games": 10_000, "growth": 2000}


def played(player, column, row):
    """Return the event that tells of a move."""
    return {
        "type": "play",
        "player": player,
        "column": column,
        "row": row,
    }


def won(player):
    """Return the event that tells of a win."""
    return {
        "type": "win",
        "player": player,
    }


# The servers


FORWARDED = played(PLAYER2, 3, 0)
FORWARDED_FRAME = Frame(Opcode.TEXT, json.dumps(FORWARDED).encode()).serialize(
    mask=False
)

GROUPS = {}  # name: connections


async def forward(websocket):
    """Handle a connection to the floor: all that it sends goes to its group."""
    group = GROUPS.setdefault(await websocket.recv(decode=False), set())
    group.add(websocket)
    try:
        while True:
            await websocket.recv(decode=False)
            for other in group:
                if other.state is State.OPEN:
                    other.transport.write(FORWARDED_FRAME)
    finally:
        group.remove(websocket)


def serve_floor(host, port):
    """Return the floor."""
    return serve(forward, host, port, compression=None, ping_interval=None)


GAMES = {}  # key: (game, connections), the same for joining and for watching


async def handle(websocket):
    """Handle a connection as the tutorial does, apart from what it refuses."""
    event = json.loads(await websocket.recv())
    if "join" in event:
        player, (game, connected) = PLAYER2, GAMES[event["join"]]
    elif "watch" in event:
        player, (game, connected) = None, GAMES[event["watch"]]
    else:
        player, game, connected = PLAYER1, Connect4(), set()
        key = secrets.token_urlsafe(12)
        GAMES[key] = game, connected
        event = {
            "type": "init",
            "join": key,
            "watch": key,
        }
        await websocket.send(json.dumps(event))

    connected.add(websocket)
    try:
        for move in game.moves.copy():
            await websocket.send(json.dumps(played(*move)))
        async for message in websocket:
            column = json.loads(message)["column"]
            row = game.play(player, column)
            broadcast(connected, json.dumps(played(player, column, row)))
            if game.winner is not None:
                broadcast(connected, json.dumps(won(player)))
    finally:
        connected.remove(websocket)


def serve_tutorial(host, port):
    """Return the tutorial's server: it leaves all options to the library."""
    return serve(handle, host, port)


SERVERS = {
    "ours": app.serve_games,
    "floor": serve_floor,
    "tutorial": serve_tutorial,
    "uvloop": app.serve_games,
    "before": app.serve_games,
}


# What run_server() is asked.
COLLECT, TELL = b"c", b"t"


async def run_server(name):
    """Serve, and tell the CPU time when asked to, until the standard input ends."""
    # A client that drops its connection is an error to those that aren't ours.
    logging.getLogger("websockets").setLevel(logging.CRITICAL)
    if name != "tutorial":
        gc.set_threshold(*getattr(app, "GC_THRESHOLDS", gc.get_threshold()))
    async with SERVERS[name]("127.0.0.1", 0) as server:
        print(server.sockets[0].getsockname()[1], flush=True)
        ended = asyncio.Event()

        def answer():
            question = os.read(0, 1)
            if question == COLLECT:
                gc.collect()
            if question:
                print(time.process_time(), flush=True)
            else:
                ended.set()

        asyncio.get_running_loop().add_reader(0, answer)
        await ended.wait()
        # Saying goodbye to thousands of connections is of no use to anybody.
        os._exit(0)


class Server:
    """The process of a server."""

    def __init__(self, name, options):
        self.name = name
        environment = dict(os.environ)
        if name == "before":
            environment[BEFORE] = options.before
        self.process = subprocess.Popen(
            [sys.executable, __file__, "--serve", name],
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            bufsize=0,
        )
        self.port = int(self.answer())

    def answer(self):
        """Return the next line that the server prints."""
        line = self.process.stdout.readline()
        if not line:
            raise Failure("The server has stopped.")
        return line

    def cpu_time(self, question=TELL):
        """Return the seconds of CPU time that the server has used so far."""
        self.process.stdin.write(question)
        return float(self.answer())

    def cpu_time_tidied(self):
        """Likewise, after collecting the garbage that isn't that of the moves."""
        return self.cpu_time(COLLECT)

    def memory(self):
        """Return the proportional memory of the server in KiB, or NaN if unknown."""
        path = pathlib.Path(f"/proc/{self.process.pid}/smaps_rollup")
        try:
            return int(re.search(r"^Pss: +(\d+) kB", path.read_text(), re.M)[1])
        except OSError:
            return math.nan

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.communicate()


# The games that are played


def random_games():
    """Yield whole games, the same ones at every run: lists of columns, winners."""
    choice = random.Random(4).choice
    while True:
        game = Connect4()
        while not game.over:
            with contextlib.suppress(IllegalMove):
                game.play(game.turn, choice(range(COLUMNS)))
        yield [column for _, column, _ in game.moves], game.winner


WON = [columns for columns, winner in itertools.islice(random_games(), 200) if winner]
DRAWN = next(columns for columns, winner in random_games() if winner is None)


def expected_events(columns, server):
    """Return the events that everybody in a game receives when it's played."""
    if server == "floor":
        return [FORWARDED] * len(columns)
    game = Connect4()
    for column in columns:
        game.play(game.turn, column)
    events = [played(*move) for move in game.moves]
    if game.winner is not None:
        events.append(won(game.winner))
    return events


# The load


class Failure(Exception):
    """The run can't go on. The text says why."""


TEXT, PING, PONG = 1, 9, 10
FINAL, COMPRESSED, MASKED = 0x80, 0x40, 0x80

# A browser's handshake. The key, and the proof that the server has read it, are those
# of RFC 6455, section 1.3.
REQUEST = (
    "GET / HTTP/1.1\r\n"
    "Host: localhost:8001\r\n"
    "Connection: Upgrade\r\n"
    "Pragma: no-cache\r\n"
    "Cache-Control: no-cache\r\n"
    "User-Agent: Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 "
    "(KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36\r\n"
    "Upgrade: websocket\r\n"
    "Origin: http://localhost:8000\r\n"
    "Accept-Encoding: gzip, deflate, br, zstd\r\n"
    "Accept-Language: en-GB,en;q=0.9,de-DE;q=0.8,de;q=0.7\r\n"
    "Cookie: theme=dark; session=0123456789abcdef0123456789abcdef\r\n"
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
    "Sec-WebSocket-Version: 13\r\n"
    # What browsers offer, each time.
    "Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits\r\n"
)
ACCEPTED = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="


# What the extension tells of besides moves, wins and keys.
EXTRA = ("start", "draw", "presence")


@functools.cache
def frame(opcode, payload, compressed=False):
    """Return a frame, of less than 126 bytes, as a client sends it."""
    head = FINAL | opcode
    if compressed:
        # A message that needs nothing of those before it can be sent anytime.
        deflate = zlib.compressobj(wbits=-12)
        payload = deflate.compress(payload) + deflate.flush(zlib.Z_SYNC_FLUSH)
        payload = payload.removesuffix(b"\x00\x00\xff\xff")
        head |= COMPRESSED
    mask = b"\x37\xfa\x21\x3d"
    masked = bytes(a ^ b for a, b in zip(payload, itertools.cycle(mask), strict=False))
    return bytes([head, MASKED | len(payload)]) + mask + masked


# There are few different events, apart from those with keys.
decode = functools.lru_cache(10_000)(json.loads)


class Client:
    """
    A connection to the server under test.

    ``events`` are the moves and wins that it has received. ``on_event`` is
    called with the client after each of them.

    """

    def __init__(self, load, first_message):
        self.load = load
        self.first_message = first_message
        self.init = None  # the event with the keys
        self.events = []
        self.on_event = None
        self.opened = False
        self.buffer = b""
        self.inflate = None  # unless messages are compressed
        self.sock = socket.create_connection(("127.0.0.1", load.server.port), TIMEOUT)
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        # Closing resets the connection, so that no port is kept in TIME_WAIT.
        linger = struct.pack("ii", 1, 0)
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        self.sock.setblocking(False)
        self.sock.send(load.request)

    def send(self, message):
        """Send a text message of a few bytes, compressed if that was agreed on."""
        self.sock.send(frame(TEXT, message.encode(), self.inflate is not None))

    def receive(self):
        """Process what has arrived."""
        data = self.buffer + self.sock.recv(65536)
        if len(data) == len(self.buffer):
            raise Failure("The server has dropped a connection.")
        if not self.opened:
            head, blank_line, data = data.partition(b"\r\n\r\n")
            if not blank_line:
                self.buffer = head
                return
            self.open(head.decode())
        start = 0
        while len(data) - start >= 2:
            opcode, length = data[start : start + 2]
            first = start + 2
            if length == 126:
                length = int.from_bytes(data[first : first + 2], "big")
                first += 2
            if first + length > len(data):
                break
            start = first + length
            self.process(opcode, data[first:start])
        self.buffer = data[start:]

    def open(self, response):
        """Check the response of the server, and send the first message."""
        if not response.startswith("HTTP/1.1 101 ") or ACCEPTED not in response:
            raise Failure(f"The handshake was refused:\n{response}")
        if self.load.extension and f": {app.EXTENSION}" not in response:
            raise Failure("The server doesn't know the extension.")
        self.opened = True
        if "permessage-deflate" in response:
            self.inflate = zlib.decompressobj(wbits=-15)
        self.send(self.first_message)
        # The server reads in order: the pong tells that the message is there.
        self.sock.send(frame(PING, b""))

    def process(self, opcode, payload):
        """Process a frame."""
        if opcode == FINAL | TEXT:
            self.note(decode(payload))
        elif opcode == FINAL | COMPRESSED | TEXT:
            payload = self.inflate.decompress(payload + b"\x00\x00\xff\xff")
            self.note(decode(payload))
        elif opcode == FINAL | PONG:
            self.load.opening -= 1
        elif opcode == FINAL | PING:
            self.sock.send(frame(PONG, payload))
        else:
            raise Failure(f"The server has sent a frame {opcode:#x}: {payload}")

    def note(self, event):
        """Note an event."""
        if event["type"] in ("play", "win"):
            self.events.append(event)
            self.load.awaited -= 1
            if self.on_event is not None:
                self.on_event(self)
        elif event["type"] == "init":
            self.init = event
        elif not (self.load.extension and event["type"] in EXTRA):
            raise Failure(f"The server has sent {event}.")


class Load:
    """
    A server, and all connections to it, in one loop.

    ``opening`` is the number of connections that aren't ready yet, ``awaited``
    the number of events, to all of them together, that have yet to come.

    """

    def __init__(self, server, options):
        self.server = server
        self.options = options
        self.extension = options.extension and app.serve_games is SERVERS[server.name]
        protocol = f"Sec-WebSocket-Protocol: {app.EXTENSION}\r\n"
        self.request = (REQUEST + protocol * self.extension + "\r\n").encode()
        self.selector = selectors.DefaultSelector()
        self.clients = []
        self.opening = 0
        self.awaited = 0

    def receive(self):
        """Process what has arrived."""
        # Never wait: to wake somebody up would be charged to the server, and
        # more often to a slow one than to one that keeps the load busy.
        ready = self.selector.select(0)
        for key, _ in ready:
            key.data.receive()
        if not ready:
            os.sched_yield()

    def receive_until(self, done):
        """Process what arrives until ``done``, a function, returns true."""
        deadline = time.monotonic() + TIMEOUT
        while not done():
            self.receive()
            if time.monotonic() > deadline:
                raise Failure(
                    f"After {TIMEOUT} s, {self.opening} connections aren't ready and "
                    f"{self.awaited} events haven't come."
                )

    def receive_all(self):
        """Process what arrives until all connections are ready, all events here."""
        self.receive_until(lambda: self.opening == self.awaited == 0)

    def connect(self, first_messages):
        """Open a connection for each message. Return the clients."""
        clients = []
        for message in first_messages:
            self.receive_until(lambda: self.opening < OPENING)
            client = Client(self, message)
            self.opening += 1
            self.selector.register(client.sock, selectors.EVENT_READ, client)
            clients.append(client)
        self.receive_all()
        self.clients += clients
        return clients

    def start(self, number):
        """Start games. Return their players, as pairs."""
        if self.server.name == "floor":
            names = [str(len(self.clients) + index) for index in range(number)]
            return list(zip(self.connect(names), self.connect(names), strict=True))
        reds = self.connect(['{"type": "init"}'] * number)
        self.receive_until(lambda: all(red.init for red in reversed(reds)))
        yellows = self.connect(
            json.dumps({"type": "init", "join": red.init["join"]}) for red in reds
        )
        return list(zip(reds, yellows, strict=True))

    def watch(self, red, number):
        """Let spectators watch the game of ``red``. Return them."""
        message = red.first_message
        if red.init is not None:
            message = json.dumps({"type": "init", "watch": red.init["watch"]})
        return self.connect([message] * number)

    def check(self, clients, columns):
        """Check that clients received all the events of a game, and only those."""
        expected = expected_events(columns, self.server.name)
        for client in clients:
            if client.events != expected:
                raise Failure(f"Instead of {expected} came {client.events}.")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        # Seeing thousands of connections off would keep the server busy.
        self.server.process.kill()
        self.close()

    def close(self):
        """Close all connections."""
        for client in self.clients:
            self.selector.unregister(client.sock)
            client.sock.close()
        self.clients.clear()


def move(column):
    """Return the message by which a player makes a move."""
    return json.dumps({"type": "play", "column": column})


# The workloads: each yields pairs of a figure's name and its value


def games(load):
    """Play many games at once, in each of them one move after another."""
    number = load.options.games
    scripts = list(itertools.islice(itertools.cycle(WON), number))
    moves = cpu_time = seconds = 0

    def play_next(columns, turn, client):
        """Play if that's whose turn it is: the moves seen so far tell."""
        ply = len(client.events)
        if ply < len(columns) and ply % 2 == turn:
            client.send(move(columns[ply]))

    while moves < MOVES["games"]:
        load.close()
        players = load.start(number)
        for pair, columns in zip(players, scripts, strict=True):
            load.awaited += 2 * len(expected_events(columns, load.server.name))
            for turn, client in enumerate(pair):
                client.on_event = functools.partial(play_next, columns, turn)
        cpu_time -= load.server.cpu_time_tidied()
        seconds -= time.perf_counter()
        for (red, _), columns in zip(players, scripts, strict=True):
            red.send(move(columns[0]))
        load.receive_all()
        seconds += time.perf_counter()
        cpu_time += load.server.cpu_time()
        moves += sum(map(len, scripts))
        for pair, columns in zip(players, scripts, strict=True):
            load.check(pair, columns)

    yield f"{number:,} games: CPU µs per move", cpu_time / moves * 1e6
    yield f"{number:,} games: moves per second", moves / seconds


def fan_out(load, spectators):
    """Play a game that many watch; all have seen a move before the next comes."""
    columns = WON[0]
    [(red, yellow)] = load.start(1)
    joining = load.server.cpu_time()
    watching = load.watch(red, spectators)
    joining = load.server.cpu_time() - joining

    deliveries = []
    cpu_time = load.server.cpu_time_tidied()
    for ply, column in enumerate(columns, start=1):
        began = time.perf_counter()
        (red if ply % 2 else yellow).send(move(column))
        events = len(expected_events(columns[:ply], load.server.name))
        load.awaited = len(load.clients) * (events - len(red.events))
        load.receive_all()
        deliveries.append(time.perf_counter() - began)
    cpu_time = load.server.cpu_time() - cpu_time

    load.check(load.clients, columns)
    events = len(red.events) * len(load.clients)
    name = f"{spectators:,} spectators"
    yield f"{name}: CPU µs per event", cpu_time / events * 1e6
    yield f"{name}: ms to the last delivery", statistics.median(deliveries) * 1e3
    yield f"{name}: CPU ms to connect one", joining / len(watching) * 1e3


def idle(load):
    """Start games, and leave them alone."""
    load.start(1)  # so that what is loaded or built only once is there
    connections = load.options.idle
    memory, cpu_time = load.server.memory(), load.server.cpu_time_tidied()
    load.start(connections // 2)
    cpu_time = load.server.cpu_time() - cpu_time
    memory = load.server.memory() - memory
    name = f"{connections:,} connections"
    yield f"{name}: KiB each", memory / connections
    yield f"{name}: CPU ms to connect one", cpu_time / connections * 1e3


def latency(load):
    """Play many games, at a rate that leaves the server time to spare."""
    number, rate = load.options.games, load.options.rate
    players = load.start(number)
    sent = {}
    latencies = []

    def note_latency(client):
        latencies.append(time.perf_counter() - sent.pop(client))

    rounds = min(len(DRAWN), load.options.seconds * rate // number)
    began = time.perf_counter()
    for index in range(number * rounds):
        ply, game = divmod(index, number)
        mover, opponent = players[game][:: -1 if ply % 2 else 1]
        while time.perf_counter() < began + index / rate:
            load.receive()
        mover.on_event, opponent.on_event = None, note_latency
        load.awaited += 2
        sent[opponent] = time.perf_counter()
        mover.send(move(DRAWN[ply]))
    load.receive_all()

    load.check(load.clients, DRAWN[:rounds])
    for percent in (50, 99, 99.9):
        rank = int(len(latencies) * percent / 100)
        milliseconds = sorted(latencies)[rank] * 1e3
        yield f"{rate} moves/s: p{percent} of the ms to the opponent", milliseconds


def growth(load, number):
    """Play a few moves at a time, with many games or few of them going on."""
    moves = cpu_time = 0
    while moves < MOVES["growth"]:
        load.close()
        players = load.start(number)
        cpu_time -= load.server.cpu_time_tidied()
        # In turn, so that none is fresher in the processor's caches than others.
        turns = itertools.product(range(len(DRAWN)), players)
        turns = itertools.islice(turns, MOVES["growth"] - moves)
        while some := list(itertools.islice(turns, min(PLAYING, number))):
            for ply, pair in some:
                pair[ply % 2].send(move(DRAWN[ply]))
            load.awaited = 2 * len(some)
            load.receive_all()
            moves += len(some)
        cpu_time += load.server.cpu_time()
        for pair in players:
            load.check(pair, DRAWN[: len(pair[0].events)])
    yield f"{number:,} concurrent games: CPU µs per move", cpu_time / moves * 1e6


def abandoned(load):
    """Start games and leave them: as many as are kept, and then twice as many more."""
    if not load.extension:
        return
    memory = load.server.memory()
    total = 0
    for number in (app.MAX_FORSAKEN, 2 * app.MAX_FORSAKEN):
        for _ in range(number // OPENING):
            load.connect(['{"type": "init"}'] * OPENING)
            load.close()
        total += number
        load.server.cpu_time_tidied()
        name = f"{total:,} games started and left: MiB"
        yield name, (load.server.memory() - memory) / 1024


# The report


def show_progress(text=""):
    """Show what is going on: on one line of a terminal, or else line after line."""
    if sys.stderr.isatty():
        print(f"\r\033[K{text}", end="", file=sys.stderr, flush=True)
    elif text:
        print(text, file=sys.stderr, flush=True)


def measure(options):
    """Return the figures, ``{name: {server: [a value for each round]}}``."""
    workloads = {"games": games}
    for number in options.spectators:
        workload = functools.partial(fan_out, spectators=number)
        workloads[f"fan-out to {number:,}"] = workload
    workloads |= {"idle": idle, "latency": latency}
    for number in options.growth:
        workload = functools.partial(growth, number=number)
        workloads[f"growth, {number:,} games"] = workload

    workloads["abandoned"] = abandoned
    if options.only:
        workloads = {
            name: workload
            for name, workload in workloads.items()
            if name.startswith(tuple(options.only))
        }

    figures = {}
    turns = list(itertools.product(range(options.rounds), workloads, options.servers))
    for done, (_, workload, name) in enumerate(turns):
        show_progress(f"{done * 100 // len(turns):3} % {workload}: {name}")
        try:
            with Server(name, options) as server, Load(server, options) as load:
                for figure, value in workloads[workload](load):
                    figures.setdefault(figure, {}).setdefault(name, []).append(value)
        except (Failure, OSError) as exc:
            raise Failure(f"{workload}: {name}: {exc}") from exc
        finally:
            show_progress()
    return figures


HEADINGS = {
    "ours": "ours",
    "floor": "floor",
    "tutorial": "tutorial's way",
    "ratio": "ours / floor",
    "before": "before",
    "uvloop": "ours on uvloop",
}


def table(medians):
    """Yield the lines of a Markdown table."""
    columns = [name for name in HEADINGS if name in next(iter(medians.values()))]
    yield f"| | {' | '.join(HEADINGS[name] for name in columns)} |"
    yield f"|---|{'---:|' * len(columns)}"
    for figure, values in medians.items():
        cells = [
            f"{value:,.0f}"
            if value >= 1000
            else f"{value:#.3g}".rstrip(".").replace("nan", "–")
            for value in (values.get(name, math.nan) for name in columns)
        ]
        yield f"| {figure} | {' | '.join(cells)} |"


def machine():
    """Return a sentence on where the figures come from."""
    cpu = platform.processor() or platform.machine()
    with contextlib.suppress(OSError):
        text = pathlib.Path("/proc/cpuinfo").read_text()
        if found := re.search(r"^model name\s*: (.+)", text, re.M):
            cpu = found[1]
    system = f"{platform.system()} {platform.release()}"
    return (
        f"{cpu}, {os.cpu_count()} cores; {system}; "
        f"{platform.python_implementation()} {platform.python_version()}, "
        f"websockets {importlib.metadata.version('websockets')}."
    )


def parse_arguments():
    """Return the options of the command line."""
    parser = argparse.ArgumentParser(
        description="Measure what the server costs, next to two others.",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    add = parser.add_argument
    sizes = {"type": int, "metavar": "N"}
    add("--rounds", **sizes, default=3, help="figures are medians over them")
    add("--games", **sizes, default=200, help="games at once")
    add("--spectators", **sizes, nargs="*", default=[1000, 5000], help="of one game")
    add("--idle", **sizes, default=5000, help="connections in games nobody plays")
    add("--rate", **sizes, default=400, help="moves per second, for the latency")
    add("--seconds", **sizes, default=2, help="of playing at that rate")
    growth = [10, 100, 1000, 5000]
    add("--growth", **sizes, nargs="*", default=growth, help="concurrent games")
    servers = ["ours", "floor", "tutorial"]
    add("--before", metavar="FOLDER", help="where another app.py is, to compare with")
    add("--only", nargs="+", metavar="NAME", help="workloads, by how they begin")
    add("--servers", nargs="+", choices=SERVERS, default=servers, help="to measure")
    add("--extension", action="store_true", help=f"ask ours for {app.EXTENSION}")
    add("--serve", choices=SERVERS, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.before:
        options.servers.append("before")
    return options


def allow_files(number):
    """Let this process, and those that it starts, open many files."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and hard < number:
        raise Failure(f"{number} open files are needed, and only {hard} allowed.")
    if soft != resource.RLIM_INFINITY and soft < number:
        resource.setrlimit(resource.RLIMIT_NOFILE, (number, hard))


def main():
    """Measure, and print the table; or be one of the servers."""
    options = parse_arguments()
    if options.serve == "uvloop":
        import uvloop

        uvloop.run(run_server(options.serve))
    elif options.serve:
        asyncio.run(run_server(options.serve))
    else:
        began = time.monotonic()
        pairs = max([options.games, options.idle // 2, *options.growth])
        allow_files(max([2 * pairs, *options.spectators]) + 100)
        medians = {
            figure: {name: statistics.median(values[name]) for name in values}
            for figure, values in measure(options).items()
        }
        for values in medians.values():
            if {"ours", "floor"} <= values.keys():
                values["ratio"] = values["ours"] / values["floor"]
        print(*table(medians), "", machine(), sep="\n")
        print(f"{time.monotonic() - began:.0f} s in all", file=sys.stderr)


if __name__ == "__main__":
    try:
        main()
    except Failure as exc:
        sys.exit(str(exc))
    except KeyboardInterrupt:
        sys.exit(130)
