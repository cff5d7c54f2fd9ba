#!/usr/bin/env python3
"""
Tests that a game in progress goes on while others do their worst.

Three processes take part: the server, this one, which plays the game and times
its moves, and the attackers, who are this file run as a script::

    python tests/test_fire.py ATTACK PORT WATCH_KEY

They say when the attack has begun, and stop by themselves or are killed. Everybody is
on loopback.

"""

import asyncio
import collections
import contextlib
import itertools
import os
import pathlib
import random
import re
import signal
import socket
import sys
import time
from operator import sub

import pytest
from websockets.exceptions import ConnectionClosed, InvalidHandshake

sys.path.insert(0, str(pathlib.Path(__file__).parent.parent))

from events import DRAW, NOT_EXPECTED, played
from helpers import DRAWN, HALF, TIMEOUT, V2, Server, execute, result

pytestmark = pytest.mark.slow

# The limit for 99 of 100 moves, from when one is sent until both players have it.
# What the processes had to wait for a processor is not held against the server.
LIMIT = 0.1  # seconds

# How long players think before each move, and how many moves a flood lasts.
PAUSE, FLOOD = 0.005, 300  # seconds, moves

# What a server may need more than before at worst. This is Python and its allocator,
# in a stall 64 KiB for each of 200 clients, or the matches that are kept.
PEAK = 64  # MiB

# The attackers

RUBBISH = [
    *(f'{{"type": "play", "column": {column}}}' for column in range(-1, 8)),
    *NOT_EXPECTED,
    *(bytes(256), bytes(2**17), "x" * 1025, ["x" * 1000, "x" * 1000]),
]


async def flood(server, watch_key):
    """Have 50 clients send what is refused, as fast as they can."""

    async def send(number):
        # Half of them start games of their own, half watch ours.
        event = {"watch": watch_key} if number % 4 < 2 else {}
        while True:
            # The library aborts a transport that is gone already: AttributeError.
            with contextlib.suppress(
                OSError, ConnectionClosed, InvalidHandshake, AttributeError
            ):
                client = await server.enter(event, **(V2 if number % 2 else {}))
                while True:
                    await client.websocket.send(random.choice(RUBBISH))
                    await asyncio.sleep(0)

    await asyncio.gather(*map(send, range(50)))


async def stall(server, watch_key):
    """Have 200 spectators who don't read."""
    for number in range(200):
        client = await server.watch(watch_key, **(V2 if number % 2 else {}))
        sock = client.websocket.transport.get_extra_info("socket")
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
        client.freeze()
    print("all are here", flush=True)
    await asyncio.Event().wait()


async def abandon(server, _):
    """Start 3,000 games, and leave each at once."""

    async def start():
        for _ in range(60):
            (await server.start(**V2))[0].vanish()

    await asyncio.gather(*(start() for _ in range(50)))


async def dawdle(server, _):
    """Begin 4,000 handshakes, of which the last 500 are there at any time."""
    half = HALF[:60], HALF, b"", HALF + b"X: " + b"x" * 8000
    dawdlers = collections.deque()
    for number in range(4000):
        _, writer = await asyncio.open_connection("127.0.0.1", server.port)
        writer.write(half[number % 4])
        dawdlers.append(writer)
        if len(dawdlers) > 500:
            dawdlers.popleft().transport.abort()


WAYS = {way.__name__: way for way in (flood, stall, abandon, dawdle)}


async def main(name, port, watch_key):
    """Attack the server."""
    os.nice(5)  # it's the server that is to be slow, if anybody
    print("begun", flush=True)
    await WAYS[name](Server(port=int(port)), watch_key)
    os._exit(0)  # and the system ends what connections there are


# The server

# The program with room for few matches, and for little that isn't sent yet.
LITTLE_ROOM = """
import asyncio, socket
import app, serving

class Connection(serving.Connection):
    def connection_made(self, transport):
        sock = transport.get_extra_info("socket")
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
        super().connection_made(transport)

serving.Connection = Connection
app.MAX_KEPT = 1000
asyncio.run(app.main())
"""


@pytest.fixture
async def program(launch, tmp_path):
    command = sys.executable, "-c", LITTLE_ROOM
    return await launch(command=command, games=tmp_path / "games.sqlite3")


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

    def __init__(self, red, yellow, pid):
        self.players = red, yellow
        self.pids = pid, os.getpid()
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
        before = [*map(waited, self.pids)]
        sent = time.monotonic()
        await client.play(event["column"])
        for player in self.players:
            assert await player.receive("play") == event
        taken = time.monotonic() - sent
        self.latencies.append(taken - max(map(sub, map(waited, self.pids), before)))


async def suffer(program, way, game):
    """Have the server attacked for a while."""
    arguments = way.__name__, program.port, game.players[0].init["watch"]
    attack = await execute(sys.executable, __file__, *arguments)
    try:
        assert await attack.stdout.readline() == b"begun\n"
        game.latencies.clear()
        if way is flood:
            while len(game.latencies) < FLOOD:
                await asyncio.sleep(0.05)
        elif way is stall:
            assert await attack.stdout.readline() == b"all are here\n"
            # Now as fast as can be: people would take an hour for it.
            game.pause = 0
            # They are dropped, although they are still there.
            while connections(program) > 30:
                await asyncio.sleep(0.05)
        else:
            await attack.wait()
    finally:
        if attack.returncode is None:
            attack.kill()
        status, _, errors = await result(attack)
    assert (status in (0, -signal.SIGKILL), errors) == (True, "")


@pytest.mark.parametrize("way", WAYS.values(), ids=WAYS)
async def test_game_goes_on_while_others_do_their_worst(program, way):
    game = Game(*await program.start_game(), program.process.pid)
    before = memory(program)
    async with asyncio.timeout(12 * TIMEOUT), asyncio.TaskGroup() as playing:
        playing.create_task(game.play_on())
        await suffer(program, way, game)
        latencies = sorted(game.latencies)
        # The game in progress goes on, and can be ended.
        game.playing = False
    late, grown = latencies[len(latencies) * 99 // 100], memory(program) - before
    print(f"{len(latencies)} moves: {late:.4f} s, at most {latencies[-1]:.4f} s")
    print(f"{way.__name__}: +{grown:.1f} MiB")
    assert len(latencies) > 50
    assert late < LIMIT
    assert grown < PEAK
    # There are new games, and no traceback was logged.
    await program.start(**V2)
    await program.stop()


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
