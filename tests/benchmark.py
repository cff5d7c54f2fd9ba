#!/usr/bin/env python3
"""
Measure what the server costs, next to one that is made as the tutorial's is.

Run it by hand, on Linux: ``python tests/benchmark.py [ROUNDS]``. CPU time, of
all threads, and memory are those of the server's process alone. It's started afresh for
each workload. The servers take turns, and every figure is the median over the rounds.
The load checks every move that every connection receives.

"""

import asyncio
import importlib.metadata
import itertools
import json
import os
import pathlib
import re
import resource
import secrets
import selectors
import socket
import statistics
import subprocess
import sys
import tempfile
import time

from websockets.asyncio.server import broadcast, serve
from websockets.client import ClientProtocol
from websockets.extensions.permessage_deflate import ClientPerMessageDeflateFactory
from websockets.frames import Opcode
from websockets.http11 import Response
from websockets.uri import parse_uri

HERE = pathlib.Path(__file__).parent.parent
sys.path.insert(0, str(HERE))

from connect4 import PLAYER1, PLAYER2, Connect4  # noqa: E402
from events import played  # noqa: E402
from helpers import DRAWN  # noqa: E402
from serving import SUBPROTOCOL  # noqa: E402
from store import open_games, write  # noqa: E402

# Ours, for clients that are pages, and with its games in a file; and one with the
# library's defaults.
SERVERS = OURS, TUTORIAL = "ours", "tutorial's way"

# How long we wait for what has to come, and for what a server does a moment later, such
# as telling who is here and writing to the file, in seconds.
TIMEOUT, MOMENT = 60, 0.5

# What is told in each game.
EVENTS = played(*DRAWN)

# The tutorial's way

GAMES = {}  # key: (game, connections), the same for joining and for watching


def tell(player, column, row):
    """Return the event that tells of a move."""
    event = {"type": "play", "player": player, "column": column, "row": row}
    return json.dumps(event)


async def handle(websocket):
    """Handle a connection as the tutorial does, without refusing anything."""
    event = json.loads(await websocket.recv())
    if "join" in event:
        player, (game, connected) = PLAYER2, GAMES[event["join"]]
    elif "watch" in event:
        player, (game, connected) = None, GAMES[event["watch"]]
    else:
        player, game, connected = PLAYER1, Connect4(), set()
        key = secrets.token_urlsafe(12)
        GAMES[key] = game, connected
        await websocket.send(json.dumps({"type": "init", "join": key, "watch": key}))
    connected.add(websocket)
    for move in game.moves.copy():
        await websocket.send(tell(*move))
    async for message in websocket:
        event = json.loads(message)
        row = game.play(player, event["column"])
        broadcast(connected, tell(player, event["column"], row))


async def run_server(port):
    """Serve until the process is killed."""
    async with serve(handle, "", port):
        print("Ctrl-C stops.", flush=True)
        await asyncio.get_running_loop().create_future()


# The load

# What a browser's handshake has beside what the protocol needs, about.
HEADERS = {
    "Origin": "http://localhost:8000",
    "User-Agent": f"Mozilla/5.0 (X11; Linux x86_64) {'like ' * 10}Safari/537.36",
    "Accept-Encoding": "gzip, deflate, br, zstd",
    "Accept-Language": "en-GB,en;q=0.9,de-DE;q=0.8,de;q=0.7",
}


class Client:
    """A connection to a server. ``init`` is its first message, then the server's."""

    def __init__(self, server, init):
        self.server, self.init, self.moves = server, init, 0
        self.sock = socket.create_connection(("127.0.0.1", server.port), TIMEOUT)
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.protocol = ClientProtocol(
            parse_uri("ws://localhost:8000/"),
            subprotocols=[SUBPROTOCOL] if server.name == OURS else None,
            extensions=[ClientPerMessageDeflateFactory()],
        )
        request = self.protocol.connect()
        request.headers.update(HEADERS)
        self.protocol.send_request(request)
        self.flush()

    def flush(self):
        self.sock.sendall(b"".join(self.protocol.data_to_send()))

    def send(self, message):
        """Send a text message, compressed if that was agreed on."""
        self.protocol.send_text(message.encode())
        self.flush()

    def receive(self):
        """Process what has arrived; answer what the library answers by itself."""
        data = self.sock.recv(65536)
        assert data, "The server has dropped a connection."
        self.protocol.receive_data(data)
        for event in self.protocol.events_received():
            if isinstance(event, Response):
                assert self.protocol.handshake_exc is None
                self.server.awaited -= 1
                self.send(self.init)
            elif event.opcode is Opcode.TEXT:
                self.handle(json.loads(event.data))
        self.flush()

    def handle(self, event):
        """Note what the server has told."""
        if event["type"] == "play":
            assert event == EVENTS[self.moves], event
            self.moves += 1
            self.server.awaited -= 1
        elif event["type"] == "init":
            self.init = event


class Server:
    """The process of a server, and all connections to it."""

    def __init__(self, name, games):
        self.name, self.clients = name, []
        self.awaited = 0  # how many responses and moves have yet to come
        self.selector = selectors.DefaultSelector()
        with socket.create_server(("", 0)) as sock:
            self.port = sock.getsockname()[1]
        ours, other = [HERE / "app.py", "--games", games], [__file__, "serve"]
        program = [sys.executable, *(ours if name == OURS else other), str(self.port)]
        self.process = subprocess.Popen(
            program, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
        )
        while self.process.stdout.readline() != "Ctrl-C stops.\n":
            assert self.process.poll() is None, "The server doesn't start."

    def __enter__(self):
        return self

    def __exit__(self, *_):
        # Seeing thousands of connections off would keep it busy.
        self.process.kill()
        self.process.communicate()
        for client in self.clients:
            client.sock.close()

    def cpu_time(self):
        """Return the seconds of CPU time that the process has used so far."""
        # The clock is the one that clock_getcpuclockid() returns.
        return time.clock_gettime(~self.process.pid << 3 | 2)

    def memory(self):
        """Return the memory of the process in KiB."""
        status = pathlib.Path(f"/proc/{self.process.pid}/status").read_text()
        return int(re.search(r"VmRSS:\s+(\d+) kB", status)[1])

    def process(self):
        """Process what has arrived; return whether anything had."""
        # Never wait: to wake somebody up would be charged to the server, and more often
        # to a slow one than to one that keeps the load busy.
        ready = self.selector.select(0)
        for key, _ in ready:
            key.data.receive()
        return ready != []

    def receive(self, limit=0):
        """Process what arrives until only so much is awaited."""
        deadline = time.monotonic() + TIMEOUT
        while self.awaited > limit:
            if not self.process():
                os.sched_yield()
            assert time.monotonic() < deadline, f"{self.awaited} haven't come."

    def pause(self):
        """Let a moment pass, in which no move may come."""
        time.sleep(MOMENT)
        while self.process():
            pass
        assert self.awaited == 0, "There are too many moves."

    def connect(self, inits):
        """Open a connection for each first message. Return the clients."""
        number = len(self.clients)
        for init in inits:
            self.receive(limit=49)  # and so open fifty at a time
            self.clients.append(client := Client(self, init))
            self.selector.register(client.sock, selectors.EVENT_READ, client)
            self.awaited += 1
        self.receive()
        return self.clients[number:]

    def start(self, number):
        """Start games. Return their players, as pairs."""
        reds = self.connect(['{"type": "init"}'] * number)
        self.pause()
        keys = [red.init["code" if self.name == OURS else "join"] for red in reds]
        inits = [json.dumps({"type": "init", "join": key}) for key in keys]
        yellows = self.connect(inits)
        self.pause()
        return [*zip(reds, yellows, strict=True)]

    def play(self, pairs):
        """Play games; all have seen a move in each of them before the next comes."""
        for ply, column in enumerate(DRAWN):
            self.awaited = len(self.clients)
            for pair in pairs:
                pair[ply % 2].send(f'{{"type": "play", "column": {column}}}')
            self.receive()
        self.pause()


# The workloads: each yields pairs of a figure's name and its value


def games(server):
    """Play many games at once."""
    pairs = server.start(200)
    cpu_time = server.cpu_time()
    server.play(pairs)
    cpu_time = (server.cpu_time() - cpu_time) / len(pairs) / len(EVENTS)
    yield "a move in one of 200 games: CPU µs", cpu_time * 1e6


def crowd(server):
    """Play a game that many watch."""
    [(red, yellow)] = server.start(1)
    init = json.dumps({"type": "init", "watch": red.init["watch"]})
    began = server.cpu_time()
    server.connect([init] * 1000)
    server.pause()
    connected = server.cpu_time()
    server.play([(red, yellow)])
    cpu_time = (server.cpu_time() - connected) / len(server.clients) / len(EVENTS)
    yield "a move to one of 1,000 spectators: CPU µs", cpu_time * 1e6
    yield "connecting a page, of 1,000 at one game: CPU ms", connected - began


def idle(server):
    """Start games, and leave them alone."""
    server.play(server.start(1))  # so that what is loaded or built only once is there
    memory, cpu_time = server.memory(), server.cpu_time()
    server.start(2500)
    cpu_time, memory = server.cpu_time() - cpu_time, server.memory() - memory
    yield "connecting a page, of 5,000 at 2,500 games: CPU ms", cpu_time / 5000 * 1e3
    yield "a page that is connected: KiB", memory / 5000


def kept(server):
    """Start ours with the games of a day."""
    if server.name != OURS:
        return
    with tempfile.TemporaryDirectory() as folder:
        store, _ = open_games(path := f"{folder}/games", 8000)
        keys = [f"{number:06}" for number in range(10_000)]
        columns = "".join(map(str, DRAWN))
        game = PLAYER1, columns, 0, 0, "", "", time.time()
        rows = {key: (f"w{key}", key, f"r{key}", f"y{key}", *game) for key in keys}
        write(store, rows)
        store.close()
        with Server(OURS, path) as other:
            cpu_time = other.cpu_time() - server.cpu_time()
            yield "starting with 10,000 matches: CPU s more", cpu_time


def main(rounds=3):
    """Measure, and print the table."""
    # The servers inherit the limit of open files.
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))

    figures = {}  # name: {server: [a value for each round]}
    workloads = games, crowd, idle, kept
    for _, workload, name in itertools.product(range(rounds), workloads, SERVERS):
        with tempfile.TemporaryDirectory() as folder:
            with Server(name, f"{folder}/games") as server:
                for figure, value in workload(server):
                    figures.setdefault(figure, {}).setdefault(name, []).append(value)

    print("| | ours | tutorial's way | ratio |\n|---|---:|---:|---:|")
    for figure, values in figures.items():
        medians = [statistics.median(each) for each in values.values()]
        medians += [medians[0] / other for other in medians[1:]]
        cells = [f"{median:#.3g}".rstrip(".") for median in medians]
        print("|", " | ".join([figure, *cells, *[""] * (3 - len(cells))]), "|")
    cpu = re.search(r"model name\s*: (.+)", pathlib.Path("/proc/cpuinfo").read_text())
    version = importlib.metadata.version("websockets")
    print(f"\n{cpu and cpu[1]}, {sys.version}, websockets {version}")


if __name__ == "__main__":
    if sys.argv[1:2] == ["serve"]:
        asyncio.run(run_server(int(sys.argv[2])))
    else:
        main(*map(int, sys.argv[1:]))
