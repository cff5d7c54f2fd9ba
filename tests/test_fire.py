#!/usr/bin/env python3
"""
Tests that a game in progress goes on while others do their worst.

Three processes take part: the server, this one, which plays the game and times
its moves, and the attackers, who are this file run as a script::

    python tests/test_fire.py ATTACK PORT WATCH_KEY

They say when the attack has begun, stop by themselves or when they are told to by
SIGTERM, and report then what they did. Everybody is on loopback.

"""

import asyncio
import collections
import contextlib
import dataclasses
import itertools
import json
import operator
import os
import pathlib
import random
import re
import signal
import socket
import struct
import sys
import time

import pytest
from websockets.frames import Frame, Opcode

sys.path.insert(0, str(pathlib.Path(__file__).parent.parent))

import app
from helpers import (
    DRAW,
    DRAWN,
    NOT_EXPECTED,
    TIMEOUT,
    V2,
    ask,
    asked,
    execute,
    played,
    result,
    started,
)

pytestmark = pytest.mark.slow

# The limit for 99 of 100 moves, from when one is sent until both players have it.
# What the processes had to wait for a processor is not held against the server.
LIMIT = 0.1  # seconds

# How long players think before each move, and how long a flood lasts.
PAUSE, FLOOD = 0.005, 3  # seconds

# What a server may need more than before: at worst, and when all is over. This
# is Python and its allocator, and in a stall 64 KiB for each of 200 clients.
PEAK, GROWTH = 48, 24  # MiB


# The attackers


HANDSHAKE = (
    b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\n"
    b"Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
    b"Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n"
)

HANDSHAKES = {
    "base": HANDSHAKE + b"\r\n",
    "page": HANDSHAKE + b"Sec-WebSocket-Protocol: connect4.v2\r\n\r\n",
}

TEXT, BINARY, PING = 1, 2, 9


def frame(data, opcode=TEXT, fin=True):
    """Return a frame as clients send it."""
    if isinstance(data, dict):
        data = json.dumps(data)
    if isinstance(data, str):
        data = data.encode()
    return Frame(Opcode(opcode), data, fin).serialize(mask=True)


FLOODS = {
    "illegal moves": [
        # All but the first are out of turn.
        *(frame({"type": "play", "column": column}) for column in range(7)),
        *(frame({"type": "play", "column": column}) for column in (-1, 7, "3", None)),
    ],
    "garbage": [
        *(frame(message) for message in NOT_EXPECTED if isinstance(message, str)),
        frame(bytes(range(256)), BINARY),
        frame(b"", BINARY),
    ],
    "oversized messages": [
        frame("x" * 1025),
        frame("x" * 2**16),
        frame(bytes(2**17), BINARY),
        frame("x" * 1000, fin=False) + frame("x" * 1000, opcode=0),
    ],
    "pings": [
        frame({"type": "ping"}),
        frame(b"", PING),
        frame(bytes(125), PING),
    ],
}


@dataclasses.dataclass
class Attack:
    """What the attackers know in common, and what they did."""

    port: int
    watch_key: str
    connections: int = 0
    messages: int = 0

    async def connect(self, data):
        """Open a connection, and send some bytes."""
        streams = await asyncio.open_connection("127.0.0.1", self.port)
        self.connections += 1
        attacker = Attacker(*streams)
        attacker.writer.write(data)
        return attacker

    async def enter(self, protocol, event=None):
        """Open a connection, shake hands, and send an event."""
        attacker = await self.connect(HANDSHAKES[protocol])
        await attacker.reader.readuntil(b"\r\n\r\n")
        if event is not None:
            attacker.writer.write(frame(event))
        return attacker


@dataclasses.dataclass
class Attacker:
    """A connection of the attackers."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    async def receive(self):
        """Return the next event, in a frame as servers send it."""
        _, size = await self.reader.readexactly(2)
        if size == 126:
            size = int.from_bytes(await self.reader.readexactly(2))
        return json.loads(await self.reader.readexactly(size))

    async def read_on(self):
        """Read and forget everything, until the server closes the connection."""
        while data := await self.reader.read(2**16):
            if b"\x88" in data:  # the beginning of a close frame, and not ASCII
                break

    def vanish(self):
        """End the connection by a reset."""
        sock = self.writer.get_extra_info("socket")
        linger = struct.pack("ii", 1, 0)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        self.writer.transport.abort()


async def flood(attack, *kinds):
    """Have 50 clients send what is refused, as fast as they can."""

    async def send(number):
        protocol = ["base", "page"][number % 2]
        event = {"type": "init"}
        # Half of them start games of their own, half watch ours.
        if number % 4 < 2:
            event["watch"] = attack.watch_key
        frames = FLOODS[kinds[number % len(kinds)]] * 16
        random.Random(number).shuffle(frames)
        for at in itertools.cycle(range(0, len(frames), 16)):
            attacker = await attack.enter(protocol, event)
            reading = asyncio.create_task(attacker.read_on())
            while not reading.done():
                attacker.writer.write(b"".join(frames[at : at + 16]))
                await attacker.writer.drain()
                attack.messages += 16
                await asyncio.sleep(0)
            attacker.vanish()
            await reading

    async def send_on(number):
        while True:
            with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
                await send(number)

    print("begun", flush=True)
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(FLOOD), asyncio.TaskGroup() as clients:
            for number in range(50):
                clients.create_task(send_on(number))


async def stall(attack):
    """Have 200 spectators who don't read."""
    event = {"type": "init", "watch": attack.watch_key}
    spectators = []
    for number in range(200):
        protocol = ["base", "page"][number % 2]
        spectator = await attack.enter(protocol, event)
        sock = spectator.writer.get_extra_info("socket")
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
        spectator.writer.transport.pause_reading()
        spectators.append(spectator)
    print("begun", flush=True)
    await asyncio.Event().wait()


async def abandon(attack):
    """Start 30,000 games, and leave each at once."""

    async def start(number):
        for _ in range(number):
            red = await attack.enter("page", {"type": "init"})
            await red.receive()
            red.vanish()

    print("begun", flush=True)
    await asyncio.gather(*(start(30_000 // 50) for _ in range(50)))


async def dawdle(attack):
    """Begin 30,000 handshakes, of which the last 1,000 are there at any time."""
    half = HANDSHAKE[:60], HANDSHAKE, b"", HANDSHAKE + b"X: " + b"x" * 8000
    dawdlers = collections.deque()
    print("begun", flush=True)
    for number in range(30_000):
        dawdlers.append(await attack.connect(half[number % 4]))
        if len(dawdlers) > 1000:
            dawdlers.popleft().vanish()


ATTACKS = {way.__name__: way for way in (flood, stall, abandon, dawdle)}


async def main(name, port, watch_key, *kinds):
    """Attack the server, and report."""
    os.nice(5)  # it's the server that is to be slow, if anybody
    attack = Attack(int(port), watch_key)
    began = time.monotonic()
    attacking = asyncio.create_task(ATTACKS[name](attack, *kinds))
    loop = asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGTERM, attacking.cancel)
    with contextlib.suppress(asyncio.CancelledError, ConnectionError):
        await attacking
    seconds = time.monotonic() - began
    report = {
        "connections": attack.connections,
        "messages": attack.messages,
        "seconds": seconds,
    }
    print(json.dumps(report), flush=True)
    os._exit(0)  # and the system ends what connections there are


# The server


# The program, able to tell how much of everything it has.
PROGRAM = """
import asyncio, gc, json, signal
import app

def tell():
    gc.collect()
    counts = len(app.JOIN), len(app.WATCH), len(app.LEFT), len(asyncio.all_tasks())
    print(json.dumps(counts), flush=True)

async def main():
    asyncio.get_running_loop().add_signal_handler(signal.SIGUSR2, tell)
    await app.main()

asyncio.run(main())
"""

# Likewise, with little room in the system for what isn't sent yet.
LITTLE_ROOM = """
import serving, socket

class Connection(serving.Connection):
    def connection_made(self, transport):
        sock = transport.get_extra_info("socket")
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
        super().connection_made(transport)

serving.Connection = Connection
"""


def program(launch, file, code=PROGRAM):
    """Start the server, with a file of games."""
    return launch(games=file, command=(sys.executable, "-c", code))


async def count(program):
    """Return the numbers of ways to join and watch, matches left, tasks, open files."""
    program.process.send_signal(signal.SIGUSR2)
    async with asyncio.timeout(TIMEOUT):
        line = await program.process.stdout.readline()
    files = len(os.listdir(f"/proc/{program.process.pid}/fd"))
    return [*json.loads(line), files]


def memory(program, name="RSS"):
    """Return the memory of the server in MiB: now, or with "HWM" at worst."""
    status = pathlib.Path(f"/proc/{program.process.pid}/status").read_text()
    return int(re.search(rf"Vm{name}:\s+(\d+) kB", status)[1]) / 1024


async def until_few_are_here(program):
    """Wait until only the two players are connected."""
    async with asyncio.timeout(TIMEOUT):
        while (await count(program))[-1] > 30:
            await asyncio.sleep(0.05)


def waited(pid):
    """Return for how many seconds a process has waited for a processor so far."""
    with open(f"/proc/{pid}/schedstat") as numbers:
        return int(numbers.read().split()[1]) / 1e9


# The game in progress


# What is told at any time.
ASIDE = "presence", "waiting"


class Game:
    """A game of two clients who play on and on, and time their moves."""

    def __init__(self, red, yellow, pids):
        self.players = {"red": red, "yellow": yellow}
        self.pids = [*pids, os.getpid()]
        self.latencies = []
        self.pause = PAUSE
        self.moved = asyncio.Event()
        self.playing = True

    async def last(self, number):
        """Wait until so many moves were timed."""
        async with asyncio.timeout(3 * TIMEOUT):
            while len(self.latencies) < number:
                self.moved.clear()
                await self.moved.wait()

    async def hear(self, event):
        """Have both players receive an event, apart from who comes and goes."""
        for client in self.players.values():
            while (heard := await client.receive())["type"] in ASIDE:
                pass
            assert heard == event

    async def play_on(self):
        """Play game after game, and end with a whole one."""
        for first in itertools.cycle(["red", "yellow"]):
            for move in played(*DRAWN, first=first):
                await asyncio.sleep(self.pause)
                waits = [waited(pid) for pid in self.pids]
                sent = time.monotonic()
                await self.players[move["player"]].play(move["column"])
                await self.hear(move)
                taken = time.monotonic() - sent
                idle = map(operator.sub, map(waited, self.pids), waits)
                self.latencies.append(taken - max(idle))
                self.moved.set()
            await self.hear(DRAW)
            if not self.playing:
                break
            for player, client in self.players.items():
                await ask(client)
                await self.hear(asked(player))
            await self.hear(started("yellow" if first == "red" else "red"))

    def check(self):
        """Check that there were moves enough, and 99 of 100 were in time."""
        latencies = sorted(self.latencies)
        late = latencies[len(latencies) * 99 // 100]
        median, last = latencies[len(latencies) // 2], latencies[-1]
        print(f"{len(latencies)} moves: {median:.4f} s, {late:.4f} s, {last:.4f} s")
        assert len(latencies) > 50
        assert late < LIMIT


async def start_game(program):
    """Return both players of a new match, who have heard all that newcomers hear."""
    red, init = await program.start(**V2)
    yellow = await program.join(init["code"], **V2)
    for client in (red, yellow):
        while (await client.receive())["type"] != "presence":
            pass
    return red, yellow, init


@contextlib.asynccontextmanager
async def attacked(program, way, *kinds, peak=PEAK, growth=GROWTH):
    """
    Attack the server while a game is played on it, and check that all goes well.

    The attack lasts until the block ends, which is given the game, or until the
    attackers have enough. What they report is ``game.report`` then. ``peak`` and
    ``growth`` are the limits of its memory.

    """
    red, yellow, init = await start_game(program)
    game = Game(red, yellow, [program.process.pid])
    size, worst = memory(program), memory(program, "HWM")
    playing = asyncio.create_task(game.play_on())

    arguments = [way.__name__, program.port, init["watch"], *kinds]
    attackers = await execute(sys.executable, __file__, *arguments)
    try:
        async with asyncio.timeout(6 * TIMEOUT):
            assert await attackers.stdout.readline() == b"begun\n"
        game.latencies.clear()
        game.attackers = attackers
        yield game
    except BaseException:
        playing.cancel()
        raise
    finally:
        if attackers.returncode is None:
            attackers.send_signal(signal.SIGTERM)
        status, output, errors = await result(attackers)
    assert (status, errors) == (0, "")
    game.report = json.loads(output)
    print(way.__name__, *kinds, game.report)
    game.check()

    # The game in progress went on, and can be ended.
    game.playing = False
    async with asyncio.timeout(TIMEOUT):
        await playing
    await until_few_are_here(program)
    grown = memory(program, "HWM") - worst, memory(program) - size
    print(f"+{grown[0]:.1f} MiB, then {grown[1]:.1f} MiB")
    assert grown[0] < peak
    assert grown[1] < growth

    # There are new games, and no traceback was logged.
    await start_game(program)
    for client in program.clients:
        await client.close()
    await program.stop()


@pytest.fixture
def file(tmp_path):
    """A place for the file of games, which others must not make slow either."""
    return tmp_path / "games.sqlite3"


@pytest.mark.parametrize(
    "kinds", [*([kind] for kind in FLOODS), [*FLOODS]], ids="+".join
)
async def test_game_goes_on_while_50_clients_flood_the_server(launch, file, kinds):
    async with attacked(await program(launch, file), flood, *kinds) as game:
        async with asyncio.timeout(TIMEOUT):
            await game.attackers.wait()
    assert game.report["messages"] > 1000


async def test_game_goes_on_while_200_spectators_do_not_read(launch, file):
    server = await program(launch, file, code=LITTLE_ROOM + PROGRAM)
    async with attacked(server, stall) as game:
        assert (await count(server))[-1] > 200
        # Now as fast as can be: people would take an hour for it.
        game.pause = 0
        await game.last(2000)
        # They are dropped, although they are still there.
        assert (await count(server))[-1] < 30
    assert game.report["connections"] == 200


async def test_memory_is_bounded_when_30000_games_are_left(launch, file):
    server = await program(launch, file)
    # The matches that are kept are some of it.
    limits = {"peak": 90, "growth": 80}
    async with attacked(server, abandon, **limits) as game:
        async with asyncio.timeout(30 * TIMEOUT):
            await game.attackers.wait()
            while (await count(server))[2] != app.MAX_KEPT:
                await asyncio.sleep(0.05)
        # Each has a key to its seat, one to watch, and a code; ours one more.
        joins, watches, *_ = await count(server)
        assert joins == 2 * app.MAX_KEPT + 3
        assert watches == 2 * app.MAX_KEPT + 2
    assert game.report["connections"] == 30_000


async def test_game_goes_on_while_30000_handshakes_are_begun(launch, file):
    async with attacked(await program(launch, file), dawdle) as game:
        async with asyncio.timeout(30 * TIMEOUT):
            await game.attackers.wait()
    assert game.report["connections"] == 30_000


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
