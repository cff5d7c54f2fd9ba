#!/usr/bin/env python3
"""
Measure what the server costs, next to one that is made as the tutorial's is.

Run it by hand, on Linux: ``python tests/benchmark.py [ROUNDS]``. CPU time, of all
threads, and memory are those of the server's process alone. It's started afresh for
each workload. The servers take turns, and every figure is the median over the rounds.
Every move that every connection receives is checked.

"""

import asyncio
import functools
import importlib.metadata
import itertools
import json
import pathlib
import re
import resource
import secrets
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time

from websockets.asyncio.client import connect
from websockets.asyncio.server import broadcast, serve

HERE = pathlib.Path(__file__).parent.parent
sys.path.insert(0, str(HERE))

from connect4 import PLAYER1, PLAYER2, Connect4  # noqa: E402
from events import played  # noqa: E402
from helpers import DRAWN  # noqa: E402
from serving import SUBPROTOCOL  # noqa: E402
from store import open_games, write  # noqa: E402

# Ours, for clients that are pages, and with its games in a file; one with the library's
# defaults; and the least that the library needs for that: nothing is compressed, and
# each move is encoded once.
SERVERS = OURS, TUTORIAL, LEAST = "ours", "tutorial's way", "least"

# How long a server may need to tell a move, and until it has done what it does a moment
# later, such as telling who is here and writing to the file, in seconds.
TIMEOUT, MOMENT = 60, 0.5

# The tutorial's way

GAMES = {}  # key: (game, connections), the same for joining and for watching


def encode(player, column, row):
    """Return the event that tells of a move."""
    event = {"type": "play", "player": player, "column": column, "row": row}
    return json.dumps(event)


async def handle(encode, websocket):
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
        await websocket.send(encode(*move))
    async for message in websocket:
        event = json.loads(message)
        row = game.play(player, event["column"])
        broadcast(connected, encode(player, event["column"], row))


async def run_server(port, name):
    """Serve until the process is killed."""
    least = name == LEAST
    handler = functools.partial(handle, functools.cache(encode) if least else encode)
    async with serve(handler, "", int(port), compression=None if least else "deflate"):
        print("Ctrl-C stops.", flush=True)
        await asyncio.get_running_loop().create_future()


# The load

# What a browser's handshake has, too, about.
BROWSER = {
    "Origin": "http://127.0.0.1",
    "User-Agent": f"Mozilla/5.0 (X11; Linux x86_64) {'like ' * 10}Safari/537.36",
    "Accept-Encoding": "gzip, deflate, br, zstd",
    "Accept-Language": "en-GB,en;q=0.9,de-DE;q=0.8,de;q=0.7",
}


class Server:
    """The process of a server, and all connections to it."""

    def __init__(self, name, games):
        self.name, self.clients = name, []
        with socket.create_server(("", 0)) as sock:
            self.port = sock.getsockname()[1]
        program = [sys.executable, __file__, "serve", str(self.port), name]
        if name == OURS:
            program = [sys.executable, HERE / "app.py", str(self.port), "-g", games]
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

    def cpu_time(self):
        """Return the seconds of CPU time that the process has used so far."""
        # The clock is the one that clock_getcpuclockid() returns.
        return time.clock_gettime(~self.process.pid << 3 | 2)

    def memory(self):
        """Return the memory of the process in KiB."""
        status = pathlib.Path(f"/proc/{self.process.pid}/status").read_text()
        return int(re.search(r"VmRSS:\s+(\d+) kB", status)[1])

    async def enter(self, init):
        """Open a connection, send its first message, and return it."""
        client = await connect(
            f"ws://127.0.0.1:{self.port}/",
            subprotocols=[SUBPROTOCOL] if self.name == OURS else None,
            user_agent_header=None,
            additional_headers=BROWSER,
            ping_interval=None,
            max_queue=None,
        )
        await client.send(json.dumps({"type": "init", **init}))
        self.clients.append(client)
        return client

    async def enter_all(self, inits):
        """Do that for each first message, fifty at a time."""
        clients = []
        while inits:
            clients += await asyncio.gather(*map(self.enter, inits[:50]))
            inits = inits[50:]
        await asyncio.sleep(MOMENT)
        return clients

    async def start(self, number):
        """Start games. Return their players, as pairs, and the last key to watch."""
        reds = await self.enter_all([{}] * number)
        events = [json.loads(await red.recv()) for red in reds]
        key = "code" if self.name == OURS else "join"
        yellows = await self.enter_all([{"join": event[key]} for event in events])
        return [*zip(reds, yellows, strict=True)], events[-1]["watch"]

    async def play(self, pairs):
        """Play games; all have seen a move in each of them before the next comes."""
        for ply, move in enumerate(played(*DRAWN)):
            event = json.dumps({"type": "play", "column": move["column"]})
            # The server finds all at once, however slow the load is.
            self.process.send_signal(signal.SIGSTOP)
            for pair in pairs:
                await pair[ply % 2].send(event)
            self.process.send_signal(signal.SIGCONT)
            async with asyncio.timeout(TIMEOUT):
                for client in self.clients:
                    while (event := json.loads(await client.recv()))["type"] != "play":
                        pass
                    assert event == move
        await asyncio.sleep(MOMENT)


# The workloads: each yields pairs of a figure's name and its value


async def games(server):
    """Play many games at once."""
    pairs, _ = await server.start(200)
    cpu_time = server.cpu_time()
    await server.play(pairs)
    cpu_time = (server.cpu_time() - cpu_time) / len(pairs) / len(DRAWN)
    yield "a move in one of 200 games: CPU µs", cpu_time * 1e6


async def crowd(server):
    """Play a game that many watch."""
    pairs, watch_key = await server.start(1)
    began = server.cpu_time()
    await server.enter_all([{"watch": watch_key}] * 1000)
    connected = server.cpu_time()
    await server.play(pairs)
    cpu_time = (server.cpu_time() - connected) / len(server.clients) / len(DRAWN)
    yield "a move to one of 1,000 spectators: CPU µs", cpu_time * 1e6
    yield "connecting a page, of 1,000 at one game: CPU ms", connected - began


async def idle(server):
    """Start games, and leave them alone."""
    # What is loaded or built only once is there then.
    await server.play((await server.start(1))[0])
    memory, cpu_time = server.memory(), server.cpu_time()
    await server.start(2500)
    cpu_time, memory = server.cpu_time() - cpu_time, server.memory() - memory
    yield "connecting a page, of 5,000 at 2,500 games: CPU ms", cpu_time / 5000 * 1e3
    yield "a page that is connected: KiB", memory / 5000


async def kept(server):
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


async def spin():
    """Never let this process wait: to wake it up would be charged to the server."""
    while True:
        await asyncio.sleep(0)


async def measure(workload, name):
    """Return what a workload yields at a server that has just begun."""
    spinning = asyncio.create_task(spin())
    with tempfile.TemporaryDirectory() as folder:
        with Server(name, f"{folder}/games") as server:
            figures = [figure async for figure in workload(server)]
    spinning.cancel()
    return figures


def main(rounds=3):
    """Measure, and print the table."""
    # The servers inherit the limit of open files.
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))

    figures = {}  # name: {server: [a value for each round]}
    workloads = games, crowd, idle, kept
    for _, workload, name in itertools.product(range(rounds), workloads, SERVERS):
        for figure, value in asyncio.run(measure(workload, name)):
            figures.setdefault(figure, {}).setdefault(name, []).append(value)

    print("| | ours | tutorial's way | ratio | least | ratio |\n|---|" + "---:|" * 5)
    for figure, values in figures.items():
        ours, *others = [statistics.median(each) for each in values.values()]
        numbers = [ours, *itertools.chain(*([other, ours / other] for other in others))]
        cells = [f"{number:#.3g}".rstrip(".") for number in numbers]
        print("|", " | ".join([figure, *cells, *[""] * (5 - len(cells))]), "|")
    cpu = re.search(r"model name\s*: (.+)", pathlib.Path("/proc/cpuinfo").read_text())
    version = importlib.metadata.version("websockets")
    print(f"\n{cpu and cpu[1]}, {sys.version}, websockets {version}")


if __name__ == "__main__":
    if sys.argv[1:2] == ["serve"]:
        asyncio.run(run_server(*sys.argv[2:]))
    else:
        main(*map(int, sys.argv[1:]))
