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
import itertools
import json
import operator
import os
import pathlib
import random
import re
import signal
import socket
import sqlite3
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

# What a server may need more than before at worst. This is Python and its allocator,
# in a stall 64 KiB for each of 200 clients, or the matches that are kept.
PEAK = 64  # MiB


# The attackers

HANDSHAKE = (
    b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\n"
    b"Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
    b"Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n"
)
BASE = HANDSHAKE + b"\r\n"
PAGE = HANDSHAKE + b"Sec-WebSocket-Protocol: connect4.v2\r\n\r\n"

TEXT, BINARY, PING = 1, 2, 9


def frame(data, opcode=TEXT, fin=True):
    """Return a frame as clients send it."""
    if isinstance(data, dict):
        data = json.dumps(data)
    if isinstance(data, str):
        data = data.encode()
    return Frame(Opcode(opcode), data, fin).serialize(mask=True)


def move(column):
    return frame({"type": "play", "column": column})


FLOODS = {
    # All but the first are out of turn.
    "illegal moves": [move(column) for column in (*range(-1, 8), "3", None)],
    "garbage": [
        *(frame(message) for message in NOT_EXPECTED if isinstance(message, str)),
        frame(bytes(range(256)), BINARY),
    ],
    "oversized messages": [
        frame("x" * 1025),
        frame(bytes(2**17), BINARY),
        frame("x" * 1000, fin=False) + frame("x" * 1000, opcode=0),
    ],
    "pings": [frame({"type": "ping"}), frame(b"", PING), frame(bytes(125), PING)],
}


class Attacker:
    """A connection of the attackers."""

    number = 0  # of all that there were

    @classmethod
    async def connect(cls, port, data):
        """Open a connection, and send some bytes."""
        attacker = cls()
        streams = await asyncio.open_connection("127.0.0.1", port)
        attacker.reader, attacker.writer = streams
        attacker.writer.write(data)
        cls.number += 1
        return attacker

    @classmethod
    async def enter(cls, port, handshake, **keys):
        """Open a connection, shake hands, and send an init event."""
        attacker = await cls.connect(port, handshake)
        await attacker.reader.readuntil(b"\r\n\r\n")
        attacker.writer.write(frame({"type": "init", **keys}))
        return attacker

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


async def flood(port, watch_key, *kinds):
    """Have 50 clients send what is refused, as fast as they can."""

    async def send(number):
        # Half of them start games of their own, half watch ours.
        keys = {"watch": watch_key} if number % 4 < 2 else {}
        frames = FLOODS[kinds[number % len(kinds)]] * 16
        random.Random(number).shuffle(frames)
        for at in itertools.cycle(range(0, len(frames), 16)):
            attacker = await Attacker.enter(port, [BASE, PAGE][number % 2], **keys)
            reading = asyncio.create_task(attacker.read_on())
            while not reading.done():
                attacker.writer.write(b"".join(frames[at : at + 16]))
                await attacker.writer.drain()
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


async def stall(port, watch_key):
    """Have 200 spectators who don't read."""
    spectators = []
    for number in range(200):
        handshake = [BASE, PAGE][number % 2]
        spectator = await Attacker.enter(port, handshake, watch=watch_key)
        sock = spectator.writer.get_extra_info("socket")
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
        spectator.writer.transport.pause_reading()
        spectators.append(spectator)
    print("begun", flush=True)
    await asyncio.Event().wait()


async def abandon(port, _):
    """Start 30,000 games, and leave each at once."""

    async def start(number):
        for _ in range(number):
            red = await Attacker.enter(port, PAGE)
            await red.reader.readexactly(2)  # of the init event
            red.vanish()

    print("begun", flush=True)
    await asyncio.gather(*(start(30_000 // 50) for _ in range(50)))


async def dawdle(port, _):
    """Begin 20,000 handshakes, of which the last 500 are there at any time."""
    half = HANDSHAKE[:60], HANDSHAKE, b"", HANDSHAKE + b"X: " + b"x" * 8000
    dawdlers = collections.deque()
    print("begun", flush=True)
    for number in range(20_000):
        dawdlers.append(await Attacker.connect(port, half[number % 4]))
        if len(dawdlers) > 500:
            dawdlers.popleft().vanish()


async def main(name, port, watch_key, *kinds):
    """Attack the server, and tell by how many connections."""
    os.nice(5)  # it's the server that is to be slow, if anybody
    attack = {each.__name__: each for each in (flood, stall, abandon, dawdle)}[name]
    attacking = asyncio.create_task(attack(int(port), watch_key, *kinds))
    loop = asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGTERM, attacking.cancel)
    with contextlib.suppress(asyncio.CancelledError, ConnectionError):
        await attacking
    print(Attacker.number, flush=True)
    os._exit(0)  # and the system ends what connections there are


# The server

# The program, with little room in the system for what isn't sent yet.
LITTLE_ROOM = """
import asyncio, socket
import app, serving

class Connection(serving.Connection):
    def connection_made(self, transport):
        sock = transport.get_extra_info("socket")
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
        super().connection_made(transport)

serving.Connection = Connection
asyncio.run(app.main())
"""


def connections(program):
    """Return how many connections the server has, about."""
    return len(os.listdir(f"/proc/{program.process.pid}/fd"))


def memory(program):
    """Return the memory of the server at its worst, in MiB."""
    status = pathlib.Path(f"/proc/{program.process.pid}/status").read_text()
    return int(re.search(r"VmHWM:\s+(\d+) kB", status)[1]) / 1024


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
async def attacked(program, way, *kinds):
    """
    Attack the server while a game is played on it, and check that all goes well.

    The attack lasts until the block ends, which is given the game, or until the
    attackers have enough. How many there were is ``game.attackers`` then.

    """
    red, yellow, init = await start_game(program)
    game = Game(red, yellow, [program.process.pid])
    before = memory(program)
    playing = asyncio.create_task(game.play_on())
    arguments = [way.__name__, program.port, init["watch"], *kinds]
    attackers = await execute(sys.executable, __file__, *arguments)
    try:
        async with asyncio.timeout(6 * TIMEOUT):
            assert await attackers.stdout.readline() == b"begun\n"
        game.latencies.clear()
        game.attack = attackers
        yield game
    except BaseException:
        playing.cancel()
        raise
    finally:
        if attackers.returncode is None:
            attackers.send_signal(signal.SIGTERM)
        status, output, errors = await result(attackers)
    assert (status, errors) == (0, "")
    game.attackers = int(output)
    game.check()

    # The game in progress went on, and can be ended.
    game.playing = False
    async with asyncio.timeout(TIMEOUT):
        await playing
        while connections(program) > 30:
            await asyncio.sleep(0.05)
    grown = memory(program) - before
    print(f"{way.__name__}, {game.attackers} connections: +{grown:.1f} MiB")
    assert grown < PEAK

    # There are new games, and no traceback was logged.
    await start_game(program)
    await program.stop()


@pytest.fixture
async def program(launch, tmp_path):
    """The program, with a file of games."""
    return await launch(games=tmp_path / "games.sqlite3")


@pytest.mark.parametrize(
    "kinds", [*([kind] for kind in FLOODS), [*FLOODS]], ids="+".join
)
async def test_game_goes_on_while_50_clients_flood_the_server(program, kinds):
    async with attacked(program, flood, *kinds) as game:
        async with asyncio.timeout(TIMEOUT):
            await game.attack.wait()
    assert game.attackers >= 50


async def test_game_goes_on_while_200_spectators_do_not_read(launch):
    program = await launch(command=(sys.executable, "-c", LITTLE_ROOM))
    async with attacked(program, stall) as game:
        assert connections(program) > 200
        # Now as fast as can be: people would take an hour for it.
        game.pause = 0
        await game.last(2000)
        # They are dropped, although they are still there.
        assert connections(program) < 30
    assert game.attackers == 200


async def test_memory_is_bounded_when_30000_games_are_left(program, tmp_path):
    async with attacked(program, abandon) as game:
        async with asyncio.timeout(30 * TIMEOUT):
            await game.attack.wait()
    assert game.attackers == 30_000
    with contextlib.closing(sqlite3.connect(tmp_path / "games.sqlite3")) as file:
        (number,) = file.execute("SELECT count(*) FROM matches").fetchone()
    # That of the game, and another, were not among them.
    assert app.MAX_KEPT <= number <= app.MAX_KEPT + 2


async def test_game_goes_on_while_20000_handshakes_are_begun(program):
    async with attacked(program, dawdle) as game:
        async with asyncio.timeout(30 * TIMEOUT):
            await game.attack.wait()
    assert game.attackers == 20_000


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
