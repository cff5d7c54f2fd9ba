#!/usr/bin/env python3
"""
Tests that a game in progress goes on while others do their worst.

Three processes take part: the server, this one, which plays the game and times
its moves, and the attackers, who are this file run as a script::

    python tests/test_fire.py ATTACK PORT WATCH_KEY

They say when the attack has begun, stop by themselves or when they are told to by
SIGTERM, and tell then how many they were. Everybody is on loopback.

"""

import asyncio
import collections
import contextlib
import itertools
import json
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
from helpers import DRAW, DRAWN, NOT_EXPECTED, TIMEOUT, V2, execute, played, result

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
HANDSHAKES = [
    HANDSHAKE + b"\r\n",
    HANDSHAKE + b"Sec-WebSocket-Protocol: connect4.v2\r\n\r\n",
]


def frame(message, opcode=Opcode.TEXT, fin=True):
    """Return a frame as clients send it."""
    data = message if isinstance(message, bytes) else message.encode()
    return Frame(opcode, data, fin).serialize(mask=True)


FLOOD_FRAMES = [
    *(frame(f'{{"type": "play", "column": {column}}}') for column in range(-1, 8)),
    *(frame(message) for message in NOT_EXPECTED if isinstance(message, str)),
    *(frame(bytes(size), Opcode.BINARY) for size in (256, 2**17)),
    *(frame(bytes(size), Opcode.PING) for size in (0, 125)),
    *[frame('{"type": "ping"}'), frame("x" * 1025)],
    frame("x" * 1000, fin=False) + frame("x" * 1000, Opcode.CONT),
]


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
        attacker.writer.write(frame(json.dumps({"type": "init", **keys})))
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


async def flood(port, watch_key):
    """Have 50 clients send what is refused, as fast as they can."""

    async def send(number):
        # Half of them start games of their own, half watch ours.
        keys = {"watch": watch_key} if number % 4 < 2 else {}
        while True:
            attacker = await Attacker.enter(port, HANDSHAKES[number % 2], **keys)
            reading = asyncio.create_task(attacker.read_on())
            while not reading.done():
                frames = random.choices(FLOOD_FRAMES, k=16)
                attacker.writer.write(b"".join(frames))
                await attacker.writer.drain()
                await asyncio.sleep(0)
            attacker.vanish()
            await reading

    async def send_on(number):
        while True:
            with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
                await send(number)

    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(FLOOD):
            await asyncio.gather(*map(send_on, range(50)))


async def stall(port, watch_key):
    """Have 200 spectators who don't read."""
    spectators = []
    for number in range(200):
        handshake = HANDSHAKES[number % 2]
        spectators.append(await Attacker.enter(port, handshake, watch=watch_key))
        sock = spectators[-1].writer.get_extra_info("socket")
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
        spectators[-1].writer.transport.pause_reading()
    print("all are here", flush=True)
    await asyncio.Event().wait()


async def abandon(port, _):
    """Start 12,000 games, and leave each at once."""

    async def start(number):
        for _ in range(number):
            red = await Attacker.enter(port, HANDSHAKES[1])
            await red.reader.readexactly(2)  # of the init event
            red.vanish()

    await asyncio.gather(*(start(12_000 // 50) for _ in range(50)))


async def dawdle(port, _):
    """Begin 4,000 handshakes, of which the last 500 are there at any time."""
    half = HANDSHAKE[:60], HANDSHAKE, b"", HANDSHAKE + b"X: " + b"x" * 8000
    dawdlers = collections.deque()
    for number in range(4_000):
        dawdlers.append(await Attacker.connect(port, half[number % 4]))
        if len(dawdlers) > 500:
            dawdlers.popleft().vanish()


async def main(name, port, watch_key):
    """Attack the server, and tell by how many connections."""
    os.nice(5)  # it's the server that is to be slow, if anybody
    attack = {each.__name__: each for each in (flood, stall, abandon, dawdle)}[name]
    attacking = asyncio.create_task(attack(int(port), watch_key))
    loop = asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGTERM, attacking.cancel)
    print("begun", flush=True)
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


class Game:
    """A game of two clients who play on and on, and time their moves."""

    def __init__(self, red, yellow, pids):
        self.players = red, yellow
        self.pids = [*pids, os.getpid()]
        self.latencies = []
        self.pause = PAUSE
        self.playing = True

    async def play_on(self):
        """Play game after game, and end with a whole one."""
        for number in itertools.count():
            first = ["red", "yellow"][number % 2]
            for turn, event in enumerate(played(*DRAWN, first=first), number):
                await asyncio.sleep(self.pause)
                await self.move(self.players[turn % 2], event)
            for client in self.players:
                await client.receive_until(DRAW)
            if not self.playing:
                return
            for client in self.players:
                await client.ask()
            for client in self.players:
                await client.receive("start")

    async def move(self, client, event):
        """Play a move, and note how long it takes until both have it."""
        before = [waited(pid) for pid in self.pids]
        sent = time.monotonic()
        await client.play(event["column"])
        for player in self.players:
            assert await player.receive("play") == event
        taken = time.monotonic() - sent
        after = [waited(pid) for pid in self.pids]
        self.latencies.append(taken - max(b - a for a, b in zip(before, after)))  # noqa: B905

    def check(self):
        """Check that there were moves enough, and 99 of 100 were in time."""
        latencies = sorted(self.latencies)
        late = latencies[len(latencies) * 99 // 100]
        print(f"{len(latencies)} moves: {late:.4f} s, at most {latencies[-1]:.4f} s")
        assert len(latencies) > 50
        assert late < LIMIT


@contextlib.asynccontextmanager
async def attacked(program, way):
    """
    Attack the server while a game is played on it, and check that all goes well.

    The attack lasts until the block ends, which is given the game, or until the
    attackers have enough. How many there were is ``game.attackers`` then.

    """
    red, init = await program.start(**V2)
    yellow = await program.join(init["code"], **V2)
    game = Game(red, yellow, [program.process.pid])
    before = memory(program)
    playing = asyncio.create_task(game.play_on())
    arguments = [way.__name__, program.port, init["watch"]]
    game.attack = await execute(sys.executable, __file__, *arguments)
    try:
        async with asyncio.timeout(6 * TIMEOUT):
            assert await game.attack.stdout.readline() == b"begun\n"
        game.latencies.clear()
        yield game
    except BaseException:
        playing.cancel()
        raise
    finally:
        if game.attack.returncode is None:
            game.attack.send_signal(signal.SIGTERM)
        status, output, errors = await result(game.attack)
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
    await program.start(**V2)
    await program.stop()


@pytest.mark.parametrize("way", [flood, dawdle], ids=lambda way: way.__name__)
async def test_game_goes_on_while_others_send_rubbish_or_half_requests(launch, way):
    async with attacked(await launch(), way) as game:
        async with asyncio.timeout(12 * TIMEOUT):
            await game.attack.wait()
    assert game.attackers >= (50 if way is flood else 4_000)


async def test_game_goes_on_while_200_spectators_do_not_read(launch):
    program = await launch(command=(sys.executable, "-c", LITTLE_ROOM))
    async with attacked(program, stall) as game:
        async with asyncio.timeout(3 * TIMEOUT):
            assert await game.attack.stdout.readline() == b"all are here\n"
            # Now as fast as can be: people would take an hour for it.
            game.pause = 0
            # They are dropped, although they are still there.
            while connections(program) > 30:
                await asyncio.sleep(0.05)
    assert game.attackers == 200


async def test_memory_is_bounded_when_12000_games_are_left(launch, tmp_path):
    file = tmp_path / "games.sqlite3"
    async with attacked(await launch(games=file), abandon) as game:
        async with asyncio.timeout(12 * TIMEOUT):
            await game.attack.wait()
    assert game.attackers == 12_000
    with contextlib.closing(sqlite3.connect(file)) as connection:
        (number,) = connection.execute("SELECT count(*) FROM matches").fetchone()
    # That of the game, and another, were not among them.
    assert app.MAX_KEPT <= number <= app.MAX_KEPT + 2


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
