#!/usr/bin/env python3
"""
Measure what the server costs, next to two others that do the same work.

Run it by hand, on Linux::

    .venv/bin/python tests/benchmark.py

The *floor* is the leanest server that we can build on the library: it forwards one
message that was encoded beforehand, decodes none, compresses nothing and pings nobody.
The *tutorial's way* is a server as the tutorial leaves it, with the defaults of the
library. Clients of ours are pages, and its games are in a file.

Each server is a process of its own, started afresh for each workload. They take turns,
and every figure is the median over the rounds. CPU time, of all threads, and memory are
those of the server's process alone, so that they mean something on a busy machine, too.

The load comes from raw sockets that send frames built beforehand. It checks every move
that every connection receives; if one is missing, or isn't the one that was played,
there are no figures but a message that says so.

"""

import argparse
import asyncio
import functools
import importlib.metadata
import itertools
import json
import logging
import os
import pathlib
import platform
import re
import resource
import secrets
import selectors
import socket
import statistics
import struct
import subprocess
import sys
import tempfile
import time
import zlib

from websockets.asyncio.server import broadcast, serve

HERE = pathlib.Path(__file__).parent.parent
sys.path.insert(0, str(HERE))

from connect4 import PLAYER1, PLAYER2, Connect4  # noqa: E402
from match import Match  # noqa: E402
from serving import SUBPROTOCOL  # noqa: E402
from store import Store, make_row  # noqa: E402

# Whatever takes longer than this, in seconds, isn't going to happen any more.
TIMEOUT = 60

# How long we wait for what a server does a moment later, in seconds: it tells who is
# here, and writes to the file.
A_MOMENT = 0.5

# How many connections are opened at a time.
OPENING = 50

# A game that nobody wins, and its moves.
DRAWN = [int(column) for column in "063055116230561251554304342313166024464022"]


def drawn():
    """Return that game, when it has been played."""
    game = Connect4()
    for column in DRAWN:
        game.play(game.turn, column)
    return game


def played(player, column, row):
    """Return the event that tells of a move."""
    return {"type": "play", "player": player, "column": column, "row": row}


MOVES = [played(*move) for move in drawn().moves]

# The servers that ours is compared with

FORWARDED = played(PLAYER2, 3, 0)
GROUPS = {}  # name: connections


async def forward(websocket):
    """Handle a connection to the floor: all that it sends goes to its group."""
    message = json.dumps(FORWARDED).encode()
    group = GROUPS.setdefault(await websocket.recv(decode=False), set())
    group.add(websocket)
    while True:
        await websocket.recv(decode=False)
        broadcast(group, message, text=True)


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
        event = {"type": "init", "join": key, "watch": key}
        await websocket.send(json.dumps(event))

    connected.add(websocket)
    try:
        for move in game.moves.copy():
            await websocket.send(json.dumps(played(*move)))
        async for message in websocket:
            event = json.loads(message)
            row = game.play(player, event["column"])
            event = played(player, event["column"], row)
            broadcast(connected, json.dumps(event))
    finally:
        connected.remove(websocket)


async def run_server(name, port):
    """Serve until the process is killed."""
    # A client that drops its connection is an error there.
    logging.getLogger("websockets").setLevel(logging.CRITICAL)
    floor = serve(forward, "", port, compression=None, ping_interval=None)
    async with floor if name == "floor" else serve(handle, "", port):
        print("Ctrl-C stops.", flush=True)
        await asyncio.get_running_loop().create_future()


class Server:
    """The process of a server."""

    def __init__(self, name, games):
        with socket.create_server(("", 0)) as sock:
            self.port = sock.getsockname()[1]
        program = [__file__, f"--serve={name}"]
        if name == "ours":
            program = [HERE / "app.py", "--games", games]
        self.process = subprocess.Popen(
            [sys.executable, *program, str(self.port)],
            stdout=subprocess.PIPE,
            text=True,
        )
        while self.process.stdout.readline() != "Ctrl-C stops.\n":
            if self.process.poll() is not None:
                raise Failure("The server doesn't start.")

    def cpu_time(self):
        """Return the seconds of CPU time that the server has used so far."""
        # This is what clock_getcpuclockid() returns.
        return time.clock_gettime(~self.process.pid << 3 | 2)

    def memory(self):
        """Return the memory of the server in KiB."""
        status = pathlib.Path(f"/proc/{self.process.pid}/status").read_text()
        return int(re.search(r"^VmRSS:\s+(\d+) kB", status, re.M)[1])

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.communicate()


# The load


class Failure(Exception):
    """The run can't go on. The text says why."""


TEXT, PING, PONG = 1, 9, 10
FINAL, COMPRESSED, MASKED = 0x80, 0x40, 0x80

# A browser's handshake. The key is that of RFC 6455, section 1.3.
REQUEST = """\
GET / HTTP/1.1
Host: localhost:8000
Connection: Upgrade
Pragma: no-cache
Cache-Control: no-cache
User-Agent: Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) \
Chrome/140.0.0.0 Safari/537.36
Upgrade: websocket
Origin: http://localhost:8000
Accept-Encoding: gzip, deflate, br, zstd
Accept-Language: en-GB,en;q=0.9,de-DE;q=0.8,de;q=0.7
Cookie: theme=dark; session=0123456789abcdef0123456789abcdef
Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==
Sec-WebSocket-Version: 13
Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits
"""


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
    """A connection to a server."""

    def __init__(self, load, init):
        self.load = load
        self.init = init  # its first message, until the server's comes
        self.moves = 0  # how many it has received
        self.opened = False
        self.inflate = None  # unless messages are compressed
        self.buffer = b""
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
        data = self.sock.recv(65536)
        if not data:
            raise Failure("The server has dropped a connection.")
        data = self.buffer + data
        if not self.opened:
            head, self.opened, data = data.partition(b"\r\n\r\n")
            if not head.startswith(b"HTTP/1.1 101 ") or not self.opened:
                raise Failure(f"The handshake was refused: {head}")
            if b"permessage-deflate" in head:
                self.inflate = zlib.decompressobj(wbits=-15)
            self.load.awaited -= 1
            self.send(self.init)
        while len(data) >= 2:
            length, start = data[1], 2
            if length == 126:
                length, start = int.from_bytes(data[2:4], "big"), 4
            if len(data) < start + length:
                break
            self.process(data[0], data[start : start + length])
            data = data[start + length :]
        self.buffer = data

    def process(self, head, payload):
        """Process a frame."""
        if head & COMPRESSED:
            payload = self.inflate.decompress(payload + b"\x00\x00\xff\xff")
        if head == FINAL | PING:
            self.sock.send(frame(PONG, payload))
            return
        event = decode(payload)
        if event["type"] == "init":
            self.init = event
        elif event["type"] == "play":
            if event != (FORWARDED if self.load.floor else MOVES[self.moves]):
                raise Failure(f"Move {self.moves} is told as {event}.")
            self.moves += 1
            self.load.awaited -= 1
        elif event["type"] not in ("start", "draw", "presence", "waiting"):
            raise Failure(f"The server has sent {event}.")


class Load:
    """A server, and all connections to it, in one loop."""

    def __init__(self, name, games):
        self.ours, self.floor = name == "ours", name == "floor"
        protocol = f"Sec-WebSocket-Protocol: {SUBPROTOCOL}\n" if self.ours else ""
        self.request = f"{REQUEST}{protocol}\n".replace("\n", "\r\n").encode()
        self.selector = selectors.DefaultSelector()
        self.clients = []
        self.awaited = 0  # how many handshakes and moves have yet to come
        self.server = Server(name, games)

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        # Seeing thousands of connections off would keep the server busy.
        self.server.__exit__(*exc)
        self.close()

    def close(self):
        """Close all connections."""
        for client in self.clients:
            self.selector.unregister(client.sock)
            client.sock.close()
        self.clients.clear()

    def receive(self, limit=0):
        """Process what arrives until only so much is awaited."""
        deadline = time.monotonic() + TIMEOUT
        while self.awaited > limit:
            # Never wait: to wake somebody up would be charged to the server, and
            # more often to a slow one than to one that keeps the load busy.
            for key, _ in self.selector.select(0):
                key.data.receive()
            if time.monotonic() > deadline:
                raise Failure(f"After {TIMEOUT} s, {self.awaited} haven't come.")

    def pause(self):
        """Process what arrives for a moment, in which no move may come."""
        deadline = time.monotonic() + A_MOMENT
        while time.monotonic() < deadline:
            for key, _ in self.selector.select(0.01):
                key.data.receive()
        if self.awaited:
            raise Failure(f"There are {-self.awaited} moves too many.")

    def connect(self, inits):
        """Open a connection for each first message. Return the clients."""
        clients = []
        for init in inits:
            self.receive(limit=OPENING - 1)
            client = Client(self, init)
            self.awaited += 1
            self.selector.register(client.sock, selectors.EVENT_READ, client)
            clients.append(client)
        self.receive()
        self.clients += clients
        return clients

    def start(self, number):
        """Start games. Return their players, as pairs."""
        if self.floor:
            names = [str(len(self.clients) + index) for index in range(number)]
            reds, yellows = self.connect(names), self.connect(names)
        else:
            reds = self.connect(['{"type": "init"}'] * number)
            self.pause()
            name = "code" if self.ours else "join"
            keys = [red.init[name] for red in reds]
            yellows = self.connect(
                f'{{"type": "init", "join": "{key}"}}' for key in keys
            )
        self.pause()
        return list(zip(reds, yellows, strict=True))

    def watch(self, red, number):
        """Let spectators watch the game of ``red``."""
        init = red.init
        if not self.floor:
            init = f'{{"type": "init", "watch": "{red.init["watch"]}"}}'
        self.connect([init] * number)
        self.pause()

    def play(self, pairs):
        """Play games at once; all have seen a move before the next comes."""
        for ply, column in enumerate(DRAWN):
            self.awaited = len(self.clients)
            for pair in pairs:
                pair[ply % 2].send(f'{{"type": "play", "column": {column}}}')
            self.receive()
        self.pause()


# The workloads: each yields pairs of a figure's name and its value


def moves(load):
    """Play many games at once."""
    players = load.start(200)
    cpu_time = load.server.cpu_time()
    load.play(players)
    cpu_time = load.server.cpu_time() - cpu_time
    yield "a move in one of 200 games: CPU µs", cpu_time / 200 / len(DRAWN) * 1e6


def crowd(load):
    """Play a game that many watch."""
    players = load.start(1)
    cpu_time = load.server.cpu_time()
    load.watch(players[0][0], 1000)
    opening = load.server.cpu_time() - cpu_time
    cpu_time = load.server.cpu_time()
    load.play(players)
    cpu_time = load.server.cpu_time() - cpu_time
    delivery = cpu_time / len(load.clients) / len(DRAWN)
    yield "a move to one of 1,000 spectators: CPU µs", delivery * 1e6
    yield "connecting a page, of 1,000 at one game: CPU ms", opening


def idle(load):
    """Start games, and leave them alone."""
    load.play(load.start(1))  # so that what is loaded or built only once is there
    load.close()
    memory, cpu_time = load.server.memory(), load.server.cpu_time()
    load.start(2500)
    cpu_time = load.server.cpu_time() - cpu_time
    memory = load.server.memory() - memory
    yield "connecting a page, of 5,000 at 2,500 games: CPU ms", cpu_time / 5000 * 1e3
    yield "a page that is connected: KiB", memory / 5000


def left(load):
    """Start games and leave them: three times as many as are kept."""
    if load.ours:
        memory = load.server.memory()
        for _ in range(30_000 // OPENING):
            load.connect(['{"type": "init"}'] * OPENING)
            load.close()
        load.pause()
        memory = load.server.memory() - memory
        yield "30,000 games started and left: MiB", memory / 1024


def restart(folder):
    """Start with a file of many games, and without."""
    store = Store(folder / "many")
    rows = []
    for number in range(10_000):
        match = Match(f"{number:06}")
        match.watch_key = f"watch-{number:010}"
        match.keys = {PLAYER1: f"red---{number:010}", PLAYER2: f"yello-{number:010}"}
        match.game = drawn()
        rows.append(make_row(match, time.time()))
    store.write({row.watch_key: row for row in rows})
    store.close()
    with (
        Server("ours", folder / "many") as many,
        Server("ours", folder / "none") as none,
    ):
        cpu_time = many.cpu_time() - none.cpu_time()
    yield "starting with 10,000 matches: CPU s more", cpu_time


SERVERS = ["ours", "floor", "tutorial's way"]


def measure(rounds):
    """Return the figures, ``{name: {server: [a value for each round]}}``."""
    figures = {}
    workloads = moves, crowd, idle, left
    for done, workload, name in itertools.product(range(rounds), workloads, SERVERS):
        print(f"{done + 1} of {rounds}: {workload.__name__}, {name}", file=sys.stderr)
        with tempfile.TemporaryDirectory() as folder:
            folder = pathlib.Path(folder)
            with Load(name, folder / "games") as load:
                found = list(workload(load))
            if workload is left and name == "ours":
                found += restart(folder)
            for figure, value in found:
                figures.setdefault(figure, {}).setdefault(name, []).append(value)
    return figures


def table(figures):
    """Yield the lines of a Markdown table."""
    yield "| | ours | floor | tutorial's way | ours / floor | ours / tutorial's way |"
    yield "|---|---:|---:|---:|---:|---:|"
    for figure, values in figures.items():
        medians = [
            statistics.median(values[name]) for name in SERVERS if name in values
        ]
        medians += [medians[0] / other for other in medians[1:]]
        cells = [f"{value:#.3g}".rstrip(".") for value in medians] + [""] * 5
        yield f"| {figure} | {' | '.join(cells[:5])} |"


def machine():
    """Return a sentence on where the figures come from."""
    text = pathlib.Path("/proc/cpuinfo").read_text()
    found = re.search(r"^model name\s*: (.+)", text, re.M)
    return (
        f"{found[1] if found else platform.machine()}, {os.cpu_count()} cores; "
        f"{platform.system()} {platform.release()}; "
        f"{platform.python_implementation()} {platform.python_version()}, "
        f"websockets {importlib.metadata.version('websockets')}."
    )


def main():
    """Measure, and print the table; or be one of the servers."""
    parser = argparse.ArgumentParser(description="Measure what the server costs.")
    about_rounds = "how many there are (default: 3)"
    parser.add_argument("--rounds", metavar="N", type=int, default=3, help=about_rounds)
    parser.add_argument("--serve", help=argparse.SUPPRESS)
    parser.add_argument("port", nargs="?", type=int, help=argparse.SUPPRESS)
    options = parser.parse_args()
    # The servers inherit the limit.
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    if options.serve:
        asyncio.run(run_server(options.serve, options.port))
    else:
        print(*table(measure(options.rounds)), "", machine(), sep="\n")


if __name__ == "__main__":
    try:
        main()
    except Failure as exc:
        sys.exit(str(exc))
