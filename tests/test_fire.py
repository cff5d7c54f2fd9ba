#!/usr/bin/env python3
"""
Tests that a game in progress goes on while others do their worst.

Three processes take part: the server, this one, which plays the game and times
its moves, and the attackers, who are this file run as a script::

    python tests/test_fire.py ATTACK PORT WATCH_KEY JOIN_KEY

They say when the attack has begun, stop by themselves or when they are told to
by SIGTERM, and report then what they did. Everybody is on loopback.

"""

import asyncio
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

from helpers import (
    DRAW,
    DRAWN,
    NOT_EXPECTED,
    RED_WINS,
    TIMEOUT,
    ask,
    asked,
    execute,
    play_all,
    played,
    result,
    start_base_game,
    start_game,
    started,
    won,
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
    "extension": HANDSHAKE + b"Sec-WebSocket-Protocol: connect4.v2\r\n\r\n",
}

TEXT, BINARY, CLOSE, PING = 1, 2, 8, 9


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
    join_key: str
    connections: int = 0
    messages: int = 0

    async def connect(self, data, port=None):
        """Open a connection, and send some bytes."""
        streams = await asyncio.open_connection("127.0.0.1", port or self.port)
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


WAYS = ["reset", "end", "close"]


def end(transport, way):
    """End a connection: by a reset, by its end, or by a close frame."""
    if way == "reset":
        sock = transport.get_extra_info("socket")
        linger = struct.pack("ii", 1, 0)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        transport.abort()
    else:
        if way == "close":
            transport.write(frame(struct.pack("!H", 1000), CLOSE))
        transport.close()


async def flood(attack, *kinds):
    """Have 50 clients send what is refused, as fast as they can."""

    async def send(number):
        protocol = ["base", "extension"][number % 2]
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
            end(attacker.writer.transport, "reset")
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


async def come_and_go(attack):
    """Open connections in every state, and end each in one of all ways."""

    async def visit(number):
        choice = random.Random(number)
        protocol = choice.choice(["base", "extension"])
        other = choice.choice(["base", "extension"])
        request = HANDSHAKES[protocol]

        def init(**keys):
            return {"type": "init", **keys}

        red = await attack.enter(protocol, init())
        keys = await red.receive()
        visitors = [
            red,
            # before, in and after the handshake
            await attack.connect(b""),
            await attack.connect(request[:50]),
            await attack.connect(request[:-1]),
            await attack.connect(request),
            await attack.enter(protocol),
            # in the first message, and after one that is refused
            await attack.connect(request + frame(init())[:10]),
            await attack.enter(protocol, "hello"),
            await attack.enter(protocol, init(join=keys["watch"])),
            await attack.enter(protocol, init(watch=keys["join"])),
            # in a game
            await attack.enter(protocol, init()),
            await attack.enter(other, init(join=keys["join"])),
            await attack.enter(protocol, init(watch=keys["watch"])),
            await attack.enter(other, init(watch=keys["watch"])),
            await attack.enter(protocol, init(watch=attack.watch_key)),
            # in front of a seat that is taken
            await attack.enter(other, init(join=keys["join"])),
            await attack.enter(other, init(join=attack.join_key)),
        ]
        if number % 2:
            red.writer.write(frame({"type": "play", "column": 3}))
            await red.receive()
        # One of the players leaves, and comes back while the others leave.
        seat = keys.get("rejoin", keys["join"])
        choice.shuffle(visitors)
        for position, visitor in enumerate(visitors):
            end(visitor.writer.transport, choice.choice(WAYS))
            if visitor is red:
                visitors.append(await attack.enter(protocol, init(join=seat)))
            if position % 4 == 0:
                await asyncio.sleep(0)

    print("begun", flush=True)
    for first in range(0, 120, 4):
        await asyncio.gather(*map(visit, range(first, first + 4)))


async def dawdle(attack):
    """Have 500 clients begin a handshake or a request, and sit there."""
    half = HANDSHAKE[:60], HANDSHAKE, b"", b"GET / HTTP/1.1\r\nHost: "
    print("begun", flush=True)
    dawdlers = [
        await attack.connect(half[number % 4], port=attack.port - number // 4 % 2)
        for number in range(500)
    ]
    # The server is free to end these connections, and must do so at some time.
    await asyncio.gather(*(dawdler.read_on() for dawdler in dawdlers))


async def stall(attack):
    """Have 200 spectators who don't read."""
    event = {"type": "init", "watch": attack.watch_key}
    spectators = []
    for number in range(200):
        protocol = ["base", "extension"][number % 2]
        spectator = await attack.enter(protocol, event)
        sock = spectator.writer.get_extra_info("socket")
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
        spectator.writer.transport.pause_reading()
        spectators.append(spectator)
    print("begun", flush=True)
    await asyncio.Event().wait()


async def crowd(attack):
    """Have 200 clients come who all want to play, and stay."""

    async def come():
        player = await attack.enter("extension", {"type": "init"})
        await player.receive()
        attack.messages += 1
        await player.read_on()

    print("begun", flush=True)
    await asyncio.gather(*(come() for _ in range(200)))


ATTACKS = {way.__name__: way for way in (flood, come_and_go, dawdle, stall, crowd)}


async def main(name, port, watch_key, join_key, *kinds):
    """Attack the server, and report."""
    os.nice(5)  # it's the server that is to be slow, if anybody
    attack = Attack(int(port), watch_key, join_key)
    attacking = asyncio.create_task(ATTACKS[name](attack, *kinds))
    loop = asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGTERM, attacking.cancel)
    with contextlib.suppress(asyncio.CancelledError, ConnectionError):
        await attacking
    report = {"connections": attack.connections, "messages": attack.messages}
    print(json.dumps(report), flush=True)
    os._exit(0)  # and the system ends what connections there are


# The server


# The program, without grace, and able to tell about itself.
PROGRAM = """
import asyncio, json, signal
import app

app.GRACE_PERIOD = 0

def tell():
    counts = len(app.JOIN), len(app.WATCH), len(asyncio.all_tasks())
    print(json.dumps(counts), flush=True)

async def main():
    asyncio.get_running_loop().add_signal_handler(signal.SIGUSR2, tell)
    await app.main()

asyncio.run(main())
"""

# Likewise, with little room in the system for what isn't sent yet.
LITTLE_ROOM = """
import app, socket

class Connection(app.Connection):
    def connection_made(self, transport):
        sock = transport.get_extra_info("socket")
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
        super().connection_made(transport)

app.Connection = Connection
"""


def program(launch, *command, code=PROGRAM):
    """Start the server."""
    return launch(command=(*command, sys.executable, "-c", code))


async def count(program):
    """Return the numbers of keys, of tasks and of open files of the server."""
    program.process.send_signal(signal.SIGUSR2)
    async with asyncio.timeout(TIMEOUT):
        keys = json.loads(await program.process.stdout.readline())
    return [*keys, len(os.listdir(f"/proc/{program.process.pid}/fd"))]


def memory(program, name="RSS"):
    """Return the memory of the server in MiB: now, or with "HWM" at worst."""
    status = pathlib.Path(f"/proc/{program.process.pid}/status").read_text()
    return int(re.search(rf"Vm{name}:\s+(\d+) kB", status)[1]) / 1024


async def until_there_are(program, counts):
    """Wait until the server has no more of anything than this."""
    async with asyncio.timeout(TIMEOUT):
        while (found := await count(program)) != counts:
            print(found, counts)
            await asyncio.sleep(0.05)


def waited(pid):
    """Return for how many seconds a process has waited for a processor so far."""
    with open(f"/proc/{pid}/schedstat") as numbers:
        return int(numbers.read().split()[1]) / 1e9


# The game in progress


class Game:
    """A game of two clients who play on and on, and time their moves."""

    def __init__(self, red, yellow, pid):
        self.players = {"red": red, "yellow": yellow}
        self.pids = pid, os.getpid()
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
            while (heard := await client.receive())["type"] == "presence":
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


@contextlib.asynccontextmanager
async def attacked(program, way, *kinds, log=""):
    """
    Attack the server while a game is played on it, and check that all goes well.

    The attack lasts until the block ends, which is given the game, or until the
    attackers have enough. What they report is ``game.report`` then.

    """
    red, yellow, init = await start_game(program)
    game = Game(red, yellow, program.process.pid)
    before = await count(program)
    size, peak = memory(program), memory(program, "HWM")
    playing = asyncio.create_task(game.play_on())

    arguments = [way.__name__, program.port, init["watch"], init["join"], *kinds]
    attackers = await execute(sys.executable, __file__, *arguments)
    try:
        async with asyncio.timeout(TIMEOUT):
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
    latencies = sorted(game.latencies)
    assert (status, errors) == (0, "")
    game.report = json.loads(output)

    # The game in progress went on, and can be ended.
    game.playing = False
    async with asyncio.timeout(TIMEOUT):
        await playing
    late = latencies[len(latencies) * 99 // 100]
    grown = memory(program, "HWM") - peak
    median, last = latencies[len(latencies) // 2], latencies[-1]
    print(way.__name__, *kinds, game.report, len(latencies), "moves")
    print(f"p50 {median:.4f} s, p99 {late:.4f} s, max {last:.4f} s, +{grown:.1f} MiB")
    assert len(latencies) > 50
    assert late < LIMIT
    assert grown < PEAK

    # Nothing is left behind, and there are new games.
    await until_there_are(program, before)
    assert memory(program) - size < GROWTH
    red, yellow, _ = await start_base_game(program)
    await play_all(red, yellow, RED_WINS, then=[won("red")])
    for client in program.clients:
        await client.close()
    await program.stop(errors=log)


@pytest.mark.parametrize(
    "kinds", [*([kind] for kind in FLOODS), [*FLOODS]], ids="+".join
)
async def test_game_goes_on_while_50_clients_flood_the_server(launch, kinds):
    async with attacked(await program(launch), flood, *kinds) as game:
        async with asyncio.timeout(TIMEOUT):
            await game.attackers.wait()
    assert game.report["messages"] > 1000


async def test_game_goes_on_while_1000_connections_come_and_go(launch):
    async with attacked(await program(launch), come_and_go) as game:
        async with asyncio.timeout(TIMEOUT):
            await game.attackers.wait()
    assert game.report["connections"] > 1000


async def test_game_goes_on_while_500_connections_sit_there(launch):
    server = await program(launch)
    async with attacked(server, dawdle) as game:
        async with asyncio.timeout(TIMEOUT):
            # The page can be had and a game be started meanwhile.
            while len(game.latencies) < 200:
                assert (await server.page.request("/")).status == 200
                client, _ = await server.start()
                await client.close()
        counts = await count(server)
    assert game.report["connections"] == 500
    assert counts[-1] > 500


async def test_game_goes_on_while_200_spectators_do_not_read(launch):
    server = await program(launch, code=LITTLE_ROOM + PROGRAM)
    async with attacked(server, stall) as game:
        *_, files = await count(server)
        assert files > 200
        # Now as fast as can be: people would take an hour for it.
        game.pause = 0
        await game.last(2000)
        # They are dropped, although they are still there.
        *_, files = await count(server)
        assert files < 20
    assert game.report["connections"] == 200


async def test_game_goes_on_while_200_clients_come_for_64_file_descriptors(launch):
    shell = ("sh", "-c", 'ulimit -n 64; exec "$@"', "sh")
    server = await program(launch, *shell)
    log = "Too many connections: some have to wait. See ulimit -n.\n"
    async with attacked(server, crowd, log=log) as game:
        await game.last(200)
    assert game.report["messages"] > 40


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
