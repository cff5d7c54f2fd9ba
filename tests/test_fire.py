#!/usr/bin/env python3
"""
Tests that a game in progress goes on while others do their worst.

Three processes take part: the server, this one, which plays the game and times
its moves, and the attackers, who are this file run as a script::

    python tests/test_fire.py ATTACK PORT TLS WATCH_KEY JOIN_KEY

TLS is "tls" if they come through a proxy, or else "plain". They say when the attack
has begun, stop by themselves or when they are told to by SIGTERM, and report then
what they did. Everybody is on loopback.

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
import ssl
import struct
import sys
import time

import pytest
from websockets.frames import Frame, Opcode

sys.path.insert(0, str(pathlib.Path(__file__).parent.parent))

import app
from app import new_code
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
from proxy import open_proxy

pytestmark = pytest.mark.slow

# The limit for 99 of 100 moves, from when one is sent until both players have it.
# What the processes had to wait for a processor is not held against the server.
LIMIT = 0.1  # seconds

# How long players think before each move, and how long a flood lasts.
PAUSE, FLOOD = 0.005, 3  # seconds

# What a server may need more than before: at worst, and when all is over. This
# is Python and its allocator, and in a stall 64 KiB for each of 200 clients.
PEAK, GROWTH = 48, 24  # MiB

# How many more blocks of memory may be in use when all is over. What the allocator
# keeps for the next time is not in use, but what encode() keeps is.
LEFT = 10_000


# The attackers


HANDSHAKE = (
    # A proxy knows by the path which server this is for; the server doesn't look at it.
    b"GET /1/ HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\n"
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
    tls: ssl.SSLContext | None
    watch_key: str
    join_key: str
    connections: int = 0
    messages: int = 0

    async def connect(self, data, port=None):
        """Open a connection, and send some bytes."""
        streams = await asyncio.open_connection(
            "127.0.0.1", port or self.port, ssl=self.tls
        )
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


async def abandon(attack):
    """Start 100,000 games, and leave each at once."""

    async def start(number):
        for _ in range(number):
            red = await attack.enter("extension", {"type": "init"})
            await red.receive()
            end(red.writer.transport, "reset")

    print("begun", flush=True)
    await asyncio.gather(*(start(100_000 // 50) for _ in range(50)))


async def flap(attack):
    """Have 5,000 spectators of our game who leave and come back all the time."""

    async def watch():
        event = {"type": "init", "watch": attack.watch_key}
        spectator = await attack.enter("extension", event)
        # What they would read isn't much, and reading it would cost what they can
        # make the server do instead.
        spectator.writer.transport.pause_reading()
        return spectator

    async def flap_on(number):
        spectators = [await watch() for _ in range(number)]
        yield
        for index in itertools.cycle(range(number)):
            end(spectators[index].writer.transport, "reset")
            spectators[index] = await watch()
            yield

    crowds = [flap_on(5000 // 50) for _ in range(50)]
    await asyncio.gather(*map(anext, crowds))
    print("begun", flush=True)
    while True:
        await asyncio.gather(*map(anext, crowds))


async def guess(attack):
    """Try 1,000 codes in each second, three seconds long."""

    async def try_code(code):
        guesser = await attack.enter("extension", {"type": "init", "join": code})
        event = await guesser.receive()
        assert event == {"type": "error", "message": "Game not found."}
        attack.messages += 1
        await guesser.read_on()
        end(guesser.writer.transport, "reset")

    print("begun", flush=True)
    loop = asyncio.get_running_loop()
    began = loop.time()
    async with asyncio.TaskGroup() as guessers:
        for number in range(FLOOD * 1000):
            await asyncio.sleep(began + number / 1000 - loop.time())
            guessers.create_task(try_code(new_code()))


ATTACKS = {
    way.__name__: way
    for way in (flood, come_and_go, dawdle, stall, crowd, abandon, flap, guess)
}


async def main(name, port, tls, watch_key, join_key, *kinds):
    """Attack the server, and report."""
    os.nice(5)  # it's the server that is to be slow, if anybody
    # Whom they talk to is of no interest to attackers.
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    tls = context if tls == "tls" else None
    attack = Attack(int(port), tls, watch_key, join_key)
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


# The program, without grace, and able to tell about itself.
PROGRAM = """
import asyncio, gc, json, signal, sys
import app

app.GRACE_PERIOD = 0

def tell():
    gc.collect()
    counts = len(app.JOIN), len(app.WATCH), len(asyncio.all_tasks())
    counts += (sys.getallocatedblocks(),)
    print(json.dumps(counts), flush=True)

async def main():
    asyncio.get_running_loop().add_signal_handler(signal.SIGUSR2, tell)
    await app.main()

asyncio.run(main())
"""

# Likewise with the real grace, but a clock that leaps over it on a signal.
WITH_GRACE = """
class Loop(asyncio.SelectorEventLoop):
    ahead = 0

    def time(self):
        return super().time() + self.ahead

    def leap(self):
        self.ahead += app.GRACE_PERIOD

async def leaping():
    loop = asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGHUP, loop.leap)
    await main()

with asyncio.Runner(loop_factory=Loop) as runner:
    runner.run(leaping())
"""
WITH_GRACE = PROGRAM.replace("app.GRACE_PERIOD = 0", "").replace(
    "asyncio.run(main())", WITH_GRACE
)

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
    """Return the numbers of keys, games, tasks, open files and blocks of memory."""
    program.process.send_signal(signal.SIGUSR2)
    async with asyncio.timeout(TIMEOUT):
        line = await program.process.stdout.readline()
    *counts, blocks = json.loads(line)
    return [*counts, len(os.listdir(f"/proc/{program.process.pid}/fd")), blocks]


def memory(program, name="RSS"):
    """Return the memory of the server in MiB: now, or with "HWM" at worst."""
    status = pathlib.Path(f"/proc/{program.process.pid}/status").read_text()
    return int(re.search(rf"Vm{name}:\s+(\d+) kB", status)[1]) / 1024


async def until_there_are(program, counts):
    """Wait until the server has no more of anything than this."""
    *counts, blocks = counts
    async with asyncio.timeout(TIMEOUT):
        while (found := await count(program))[:-1] != counts:
            print(found, counts)
            await asyncio.sleep(0.05)
    assert found[-1] - blocks < LEFT


def waited(pid):
    """Return for how many seconds a process has waited for a processor so far."""
    with open(f"/proc/{pid}/schedstat") as numbers:
        return int(numbers.read().split()[1]) / 1e9


# The game in progress


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

    def check(self):
        """Check that there were moves enough, and 99 of 100 were in time."""
        latencies = sorted(self.latencies)
        late = latencies[len(latencies) * 99 // 100]
        median, last = latencies[len(latencies) // 2], latencies[-1]
        print(f"{len(latencies)} moves: {median:.4f} s, {late:.4f} s, {last:.4f} s")
        assert len(latencies) > 50
        assert late < LIMIT


@contextlib.asynccontextmanager
async def attacked(program, way, *kinds, proxy=None, log="", peak=PEAK, growth=GROWTH):
    """
    Attack the server while a game is played on it, and check that all goes well.

    The attack lasts until the block ends, which is given the game, or until the
    attackers have enough. What they report is ``game.report`` then. If there is a
    proxy, everybody comes through it. ``peak`` and ``growth`` are the limits of
    its memory.

    """
    front = proxy or program
    red, yellow, init = await start_game(front)
    game = Game(red, yellow, [program.process.pid, *getattr(proxy, "pids", ())])
    before = await count(program)
    size, worst = memory(program), memory(program, "HWM")
    playing = asyncio.create_task(game.play_on())

    tls = "tls" if proxy else "plain"
    arguments = [way.__name__, front.port, tls, init["watch"], init["join"], *kinds]
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
    grown = memory(program, "HWM") - worst
    print(f"+{grown:.1f} MiB")
    assert grown < peak

    # Nothing is left behind, and there are new games.
    await until_there_are(program, before)
    assert memory(program) - size < growth
    red, yellow, _ = await start_base_game(front)
    await play_all(red, yellow, RED_WINS, then=[won("red")])
    for client in front.clients:
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
    assert counts[-2] > 500


async def test_game_goes_on_while_200_spectators_do_not_read(launch):
    server = await program(launch, code=LITTLE_ROOM + PROGRAM)
    async with attacked(server, stall) as game:
        *_, files, _ = await count(server)
        assert files > 200
        # Now as fast as can be: people would take an hour for it.
        game.pause = 0
        await game.last(2000)
        # They are dropped, although they are still there.
        *_, files, _ = await count(server)
        assert files < 20
    assert game.report["connections"] == 200


async def test_game_goes_on_while_200_clients_come_for_64_file_descriptors(launch):
    shell = ("sh", "-c", 'ulimit -n 64; exec "$@"', "sh")
    server = await program(launch, *shell)
    log = "Too many connections: some have to wait. See ulimit -n.\n"
    async with attacked(server, crowd, log=log) as game:
        await game.last(200)
    assert game.report["messages"] > 40


# Through the proxy, too


@pytest.fixture(params=["directly", "through nginx"])
def open_front(request, tmp_path):
    """A function that puts the proxy of the README in front of a server, or nothing."""
    if request.param == "directly":
        return lambda program: contextlib.nullcontext()
    certificate = request.getfixturevalue("certificate")
    return lambda program: open_proxy([program.page.port], certificate, tmp_path)


async def test_memory_is_bounded_and_comes_back_after_100000_games(launch, open_front):
    server = await program(launch, code=WITH_GRACE)
    async with open_front(server) as proxy:
        # The games that wait are some of it, and the allocator keeps their room.
        limits = {"peak": 80, "growth": 80}
        async with attacked(server, abandon, proxy=proxy, **limits) as game:
            async with asyncio.timeout(30 * TIMEOUT):
                await game.attackers.wait()
            keys, games, *_ = await count(server)
            # Ours is not among those that wait.
            assert (keys, games) == (3 * app.MAX_FORSAKEN + 2, app.MAX_FORSAKEN + 1)
            server.process.send_signal(signal.SIGHUP)
    assert game.report["connections"] == 100_000


async def test_games_go_on_while_5000_spectators_flap(launch, open_front):
    server = await program(launch)
    async with open_front(server) as proxy:
        red, yellow, _ = await start_game(proxy or server)
        # 5,000 connections are most of it, and the allocator keeps their room.
        limits = {"peak": 160, "growth": 160}
        async with attacked(server, flap, proxy=proxy, **limits) as game:
            other = Game(red, yellow, game.pids)
            playing = asyncio.create_task(other.play_on())
            for each in (game, other):
                each.pause = 0.1
                each.latencies.clear()
            await game.last(100)
            other.playing = False
            await playing
            other.check()
    assert game.report["connections"] > 6000


async def test_game_goes_on_while_1000_codes_a_second_are_tried(launch, open_front):
    server = await program(launch)
    async with open_front(server) as proxy:
        async with attacked(server, guess, proxy=proxy) as game:
            async with asyncio.timeout(3 * TIMEOUT):
                await game.attackers.wait()
    assert game.report["messages"] == FLOOD * 1000


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
