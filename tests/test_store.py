"""Tests that the games outlive the server: with its process, and a real file."""

import asyncio
import contextlib
import os
import random
import re
import sqlite3
import subprocess
import sys

import pytest
from websockets.exceptions import ConnectionClosed, InvalidHandshake

from helpers import (
    DRAWN,
    HERE,
    NOT_FOUND,
    RED_WINS,
    TIMEOUT,
    V2,
    execute,
    free_port,
    played,
    result,
    started,
    won,
)
from store import VERSION, Store


@pytest.fixture
def file(tmp_path):
    """A place for the file of games."""
    return tmp_path / "games.sqlite3"


def left_beside(file):
    """Return the names of the files in the folder of the file of games."""
    return sorted(each.name for each in file.parent.iterdir())


async def kill(program):
    """End the program as a loss of power does, but for the disk."""
    program.process.kill()
    async with asyncio.timeout(TIMEOUT):
        await program.process.wait()


async def run(*arguments, cwd=HERE):
    """Run the program until it ends by itself."""
    command = [sys.executable, HERE / "app.py", free_port(), "--bind", "127.0.0.1"]
    return await result(await execute(*command, *arguments, cwd=cwd))


# Matches


async def hear_past(client):
    """Return what a newcomer is sent: init, and all from start to presence."""
    init = await client.receive()
    past = []
    while (event := await client.receive())["type"] != "presence":
        past.append(event)
    return init, past


async def enter(server, **event):
    """Connect somebody, and return the client, its init event and the past."""
    client = await server.connect(**V2)
    await client.send({"type": "init", **event})
    return client, *await hear_past(client)


async def receive(client, kind):
    """Return the next event of a kind."""
    while (event := await client.receive())["type"] != kind:
        pass
    return event


class Players:
    """Two players and a spectator of a match, who remember what they saw."""

    def __init__(self):
        self.clients = {}
        self.keys = {}
        self.past = []  # the events since the game began

    async def begin(self, server):
        """Start a match, join it by its code, and watch it."""
        red, init, self.past = await enter(server)
        self.code = init["code"]
        yellow, yellow_init, _ = await enter(server, join=self.code)
        spectator, *_ = await enter(server, watch=init["watch"])
        self.keys = {
            "red": {"join": init["rejoin"]},
            "yellow": {"join": yellow_init["rejoin"]},
            "spectator": {"watch": init["watch"]},
        }
        self.clients = {"red": red, "yellow": yellow, "spectator": spectator}

    async def play(self, *columns):
        """Play moves that everybody sees, to the end if that comes."""
        (start,) = (event for event in self.past if event["type"] == "start")
        moves = [event["column"] for event in self.past if event["type"] == "play"]
        events = played(*moves, *columns, first=start["player"])[len(moves) :]
        for event in events:
            await self.clients[event["player"]].play(event["column"])
            for client in self.clients.values():
                assert await receive(client, "play") == event
        self.past += events

    async def end(self, *columns, end):
        """Play the last moves of a game, and see how it ends."""
        await self.play(*columns)
        for client in self.clients.values():
            assert await receive(client, end["type"]) == end
        self.past.append(end)

    async def ask(self, player):
        """Ask for a rematch."""
        event = {"type": "rematch", "player": player}
        await self.clients[player].send({"type": "rematch"})
        for client in self.clients.values():
            assert await receive(client, "rematch") == event
        self.past.append(event)

    async def begin_again(self, start):
        """Ask for a rematch, and see how it begins."""
        for player in ("red", "yellow"):
            await self.ask(player)
        for client in self.clients.values():
            assert await receive(client, "start") == start
        self.past = [start]

    async def come_back(self, server):
        """Connect everybody by their keys, and check that all is as it was."""
        for who, key in self.keys.items():
            client, init, past = await enter(server, **key)
            assert init["player"] == (None if who == "spectator" else who)
            assert init["code"] == self.code
            assert init.get("rejoin") == key.get("join")
            assert past == self.past
            self.clients[who] = client
        for key in ({"join": self.code.upper()}, {"watch": self.code}):
            client, init, past = await enter(server, **key)
            assert (init["player"], past) == (None, self.past)
            await client.close()


async def prepare(number, server):
    """Begin a match, and bring it to one of some states."""
    players = Players()
    await players.begin(server)
    state = number % 5
    if state == 1:
        await players.play(*DRAWN[: number % 40 + 1])
    elif state == 2:
        await players.end(*RED_WINS, end=won("red"))
        await players.ask("yellow")
    elif state == 3:
        await players.end(*RED_WINS, end=won("red"))
        await players.begin_again(started("yellow", red=1))
        await players.play(3, 3, 2)
    elif state == 4:
        await players.end(*DRAWN, end={"type": "draw"})
    return players


async def go_on(number, players):
    """Play on, from one of these states."""
    state = number % 5
    if state == 0:
        await players.play(3, 3)
    elif state == 1:
        await players.end(*DRAWN[number % 40 + 1 :], end={"type": "draw"})
    elif state == 2:
        await players.ask("red")
        for client in players.clients.values():
            assert await receive(client, "start") == started("yellow", red=1)
    elif state == 3:
        await players.play(2, 1, 1)
    elif state == 4:
        await players.begin_again(started("yellow"))


async def until_saved(program, file):
    """Wait until all that was announced so far is in the file."""
    # What is written with a match that begins now, or before it. That it's all in the
    # log is certain when the next is being written.
    for _ in range(2):
        marker, init, _ = await enter(program)
        async with asyncio.timeout(TIMEOUT):
            while init["rejoin"].encode() not in read_all(file):
                await asyncio.sleep(0.01)
        await marker.close()


def read_all(file):
    """Return what is in the file of games and its log."""
    files = [file, file.with_name(f"{file.name}-wal")]
    return b"".join(each.read_bytes() for each in files if each.exists())


@pytest.mark.parametrize("way", ["SIGTERM", "SIGKILL"])
@pytest.mark.parametrize("number", [50, pytest.param(200, marks=pytest.mark.slow)])
async def test_everybody_comes_back_after_a_restart_and_plays_on(
    launch, file, way, number
):
    program = await launch(games=file)
    matches = [await prepare(each, program) for each in range(number)]
    if way == "SIGKILL":
        await until_saved(program, file)
        await kill(program)
    else:
        # All that was announced is kept, even what wasn't written yet.
        for each in range(0, number, 5):
            await matches[each].play(6)
        await program.stop()
        assert left_beside(file) == [file.name]
        # It's even known when everybody left.
        assert None not in rows(file, "left")
    program = await launch(games=file)
    for each, players in enumerate(matches):
        await players.come_back(program)
        await go_on(each, players)
    await program.stop()


async def test_keys_stay_secret_and_matches_of_base_clients_are_not_kept(launch, file):
    program = await launch(games=file)
    _, init = await program.start()
    await enter(program, join=init["join"])
    await enter(program, watch=init["watch"])
    red, v2, _ = await enter(program)
    await red.play(3)
    await until_saved(program, file)
    # The log holds keys, too.
    assert left_beside(file) == [file.name, f"{file.name}-wal"]
    for name in left_beside(file):
        assert (file.parent / name).stat().st_mode & 0o777 == 0o600
    await program.stop()
    program = await launch(games=file)
    for key in init["join"], init["watch"]:
        client = await program.join(key, **V2)
        await client.expect_error("Game not found.")
    _, _, past = await enter(program, join=v2["rejoin"])
    assert past == [started(), *played(3)]


async def test_seat_that_was_opened_has_no_key_after_a_restart_either(launch, file):
    program = await launch(games=file)
    players = Players()
    await players.begin(program)
    await players.play(3, 3)
    await players.clients["red"].send({"type": "open", "player": "red"})
    assert (await hear_past(players.clients["red"]))[0]["player"] is None
    await program.stop()
    program = await launch(games=file)
    red = await program.join(players.keys["red"]["join"], **V2)
    await red.expect_error("Game not found.")
    _, init, past = await enter(program, join=players.code)
    assert (init["player"], past) == ("red", players.past)
    _, init, _ = await enter(program, **players.keys["yellow"])
    assert init["player"] == "yellow"


# Forgetting

# The program with other settings.
SETTINGS = f"""
import sys
sys.path.insert(0, {str(HERE)!r})
import app, asyncio
{{}}
asyncio.run(app.main())
"""


def program_with(settings):
    """Return the command that starts the program with other settings."""
    return sys.executable, "-c", SETTINGS.format(settings)


def rows(file, column="code"):
    """Return a column of the file, as it is when the program has ended."""
    with contextlib.closing(sqlite3.connect(file)) as connection:
        return [
            value for (value,) in connection.execute(f"SELECT {column} FROM matches")
        ]


async def test_match_that_is_forgotten_leaves_the_file(launch, file):
    program = await launch(games=file, command=program_with("app.GRACE_PERIOD = 0"))
    client, init, _ = await enter(program)
    await until_saved(program, file)
    await client.close()
    async with asyncio.timeout(TIMEOUT):
        event = None
        while event != NOT_FOUND:
            client = await program.watch(init["watch"], **V2)
            event = await client.receive()
            await client.close()
    await program.stop()
    assert init["code"] not in rows(file)


async def test_those_who_left_first_are_forgotten_first_after_a_restart(launch, file):
    program = await launch(games=file)
    visitors = [await enter(program) for _ in range(6)]
    order = [3, 0, 5, 1, 4, 2]
    for number in order:
        await visitors[number][0].close()
        # They have left when somebody who came later has an answer.
        await program.page.request("/")
    await program.stop()
    program = await launch(games=file, command=program_with("app.MAX_KEPT = 2"))
    await program.stop()
    kept = [visitors[number][1]["code"] for number in order[-2:]]
    assert sorted(rows(file)) == sorted(kept)


# The file can't be written

NOWHERE = "/proc/nowhere/games.sqlite3"


async def test_file_that_cannot_be_written_is_told_in_one_line():
    status, output, errors = await run("--games", NOWHERE)
    assert (status, output) == (1, "")
    assert re.fullmatch(r"The file of games can't be written: .*\n", errors)


async def test_games_are_in_memory_where_the_default_file_cannot_be(launch):
    program = await launch(games=None, cwd="/proc")
    players = Players()
    await players.begin(program)
    await players.play(3)
    program.process.terminate()
    status, _, errors = await result(program.process)
    assert status == 0
    pattern = r"The file of games can't be written: .*\. They end with the server\.\n"
    assert re.fullmatch(pattern, errors)


async def test_default_file_has_the_port_in_its_name(launch, tmp_path):
    program = await launch(games=None, cwd=tmp_path)
    await enter(program)
    await program.stop()
    assert os.listdir(tmp_path) == [f"games-{program.port}.sqlite3"]
    status, _, errors = await run("--games", tmp_path)
    assert status == 1
    assert re.fullmatch(r".*can't be written: .*directory.*\n", errors)


@pytest.fixture
def disk(tmp_path):
    """A folder with a small disk of its own."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", disk]
    try:
        subprocess.run(mount, capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError) as exc:
        pytest.skip(f"only root can mount a disk: {exc}")
    yield disk
    subprocess.run(["umount", disk], check=True)


async def test_full_disk_is_a_warning_and_games_go_on(disk, launch):
    file = disk / "games.sqlite3"
    program = await launch(games=file)
    players = Players()
    await players.begin(program)
    await until_saved(program, file)
    with pytest.raises(OSError, match="space"):
        (disk / "full").write_bytes(bytes(1024 * 1024))
    await players.play(*RED_WINS[:2])
    _, quiet, _ = await enter(program)
    async with asyncio.timeout(TIMEOUT):
        line = (await program.process.stderr.readline()).decode()
    assert re.fullmatch(r"The games can't be written to the file: .*full\.\n", line)
    await players.end(*RED_WINS[2:], end=won("red"))
    # As soon as there is room, everything is written, and nothing was said again.
    (disk / "full").unlink()
    await until_saved(program, file)
    await kill(program)
    assert await program.process.stderr.read() == b""
    program = await launch(games=file)
    await players.come_back(program)
    assert (await enter(program, join=quiet["rejoin"]))[1]["player"] == "red"


# The file is damaged, or somebody else's


async def fill(launch, file, number=40):
    """Make a file with matches; return the init event of the last one."""
    program = await launch(games=file)
    for _ in range(number):
        client, init, _ = await enter(program)
        await client.play(3)
    await program.stop()
    return init


def make_file(file, version=VERSION, **changes):
    """Make a file with one match, in whose row something may be changed."""
    store = Store(str(file))
    row = {
        "watch_key": "w",
        "code": "abc234",
        "red_key": "r",
        "yellow_key": "y",
        "first": "red",
        "columns": "0101010",
        "red_wins": 2,
        "yellow_wins": 0,
        "rematch": "yellow",
        "open": "",
        "left": 0.0,
        **changes,
    }
    names, marks = ", ".join(row), ", ".join("?" * len(row))
    command = f"INSERT INTO matches ({names}) VALUES ({marks})"
    store.connection.execute(command, list(row.values()))
    store.connection.execute(f"PRAGMA user_version = {version}")
    store.close()


def overwrite(at, data):
    """Return a function that overwrites a part of a file."""

    def damage(file):
        with open(file, "r+b") as damaged:
            damaged.seek(at)
            damaged.write(data)

    return damage


GARBAGE = random.Random(4).randbytes(8192)
DAMAGES = {
    "no database": lambda file: file.write_bytes(GARBAGE),
    "text": lambda file: file.write_text("These are my games.\n"),
    "start": overwrite(0, GARBAGE[:50]),
    "schema": overwrite(100, GARBAGE[:3000]),
    "middle": overwrite(8192, GARBAGE),
    "truncated": lambda file: os.truncate(file, 5000),
    "half": lambda file: os.truncate(file, file.stat().st_size // 2),
}


async def expect_set_aside(launch, file, files=1):
    """Check that the program sets the file aside, and begins without games."""
    program = await launch(games=file)
    client = await program.join("abc234", **V2)
    await client.expect_error("Game not found.")
    await enter(program)
    program.process.terminate()
    status, _, errors = await result(program.process)
    assert status == 0
    pattern = rf"{file} is damaged \(.*\): set aside as {file}\.damaged-[-0-9]+\.\n"
    assert re.fullmatch(pattern, errors)
    aside = [name for name in left_beside(file) if ".damaged-" in name]
    assert len(aside) == files
    assert len(rows(file)) == 1
    return file.parent / aside[0]


@pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES)
async def test_damaged_file_is_set_aside(launch, file, damage):
    await fill(launch, file)
    damage(file)
    damaged = file.read_bytes()
    aside = await expect_set_aside(launch, file)
    # SQLite may have counted in its header that it was opened.
    assert aside.read_bytes()[100:] == damaged[100:]


async def test_log_of_a_damaged_file_is_set_aside_with_it(launch, file):
    program = await launch(games=file)
    await enter(program)
    await until_saved(program, file)
    await kill(program)
    assert file.with_name(f"{file.name}-wal").stat().st_size
    overwrite(0, GARBAGE[:50])(file)
    await expect_set_aside(launch, file, files=2)


IMPOSSIBLE = {
    "column": {"columns": "37"},
    "no digit": {"columns": "3x"},
    "full column": {"columns": "3333333"},
    "move after the end": {"columns": "01010106"},
    "first": {"first": "green"},
    "rematch": {"rematch": "green"},
    "open": {"open": "green"},
    "no text": {"columns": b"\xff\x00"},
    "no number": {"red_wins": "many"},
}


@pytest.mark.parametrize("changes", IMPOSSIBLE.values(), ids=IMPOSSIBLE)
async def test_file_with_a_match_that_no_game_can_be_is_set_aside(
    launch, file, changes
):
    make_file(file, **changes)
    await expect_set_aside(launch, file)


async def test_text_that_is_not_utf_8_is_damage(launch, file):
    make_file(file, code="abc234")
    data = file.read_bytes()
    file.write_bytes(data.replace(b"abc234", b"abc23\xff"))
    await expect_set_aside(launch, file)


def make_strange_file(file):
    with contextlib.closing(sqlite3.connect(file)) as connection:
        connection.execute("CREATE TABLE songs (title)")


def make_strange_log(file):
    """Make a file all of whose content is in its log, as a crash leaves it."""
    code = f"""if True:
        import os, sqlite3
        connection = sqlite3.connect({str(file)!r}, isolation_level=None)
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("CREATE TABLE songs (title)")
        os._exit(0)
    """
    subprocess.run([sys.executable, "-c", code], check=True)
    os.unlink(f"{file}-shm")


def make_later_file(file):
    make_file(file, version=VERSION + 1)


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (make_strange_file, "another program"),
        (make_strange_log, "another program"),
        (make_later_file, "a later version"),
    ],
)
async def test_file_that_is_not_ours_is_left_alone(file, make, words):
    make(file)
    before = {name: (file.parent / name).read_bytes() for name in left_beside(file)}
    status, output, errors = await run("--games", file)
    assert (status, output) == (1, "")
    assert errors == f"{file} belongs to {words}. Choose another --games.\n"
    after = {name: (file.parent / name).read_bytes() for name in left_beside(file)}
    assert after == before


async def test_second_server_on_the_same_file_is_refused(launch, file):
    program = await launch(games=file)
    client, init, _ = await enter(program)
    status, output, errors = await run("--games", file)
    assert (status, output) == (1, "")
    assert errors == f"{file} is in use by another server. Choose another --games.\n"
    await client.play(3)
    await program.stop()
    program = await launch(games=file)
    _, _, past = await enter(program, join=init["rejoin"])
    assert past == [started(), *played(3)]


async def test_file_that_looks_damaged_while_another_server_writes_is_left_alone(
    launch, file
):
    init = await fill(launch, file)
    whole = file.read_bytes()
    program = await launch(games=file)
    # A checkpoint begins with the header, which tells the size of the file.
    os.truncate(file, 8192)
    status, output, errors = await run("--games", file)
    assert (status, output) == (1, "")
    assert errors == f"{file} is in use by another server. Choose another --games.\n"
    file.write_bytes(whole)
    await program.stop()
    program = await launch(games=file)
    _, _, past = await enter(program, join=init["rejoin"])
    assert past == [started(), *played(3)]


# The beginning


async def test_nobody_is_let_in_before_the_file_is_read(launch, file):
    init = await fill(launch, file, 3)
    port = free_port()
    settings = f"""if True:
        import socket
        open_games = app.open_games
        def knock_and_open(*arguments):
            for port in ({port}, {port} + 1):
                try:
                    socket.create_connection(("127.0.0.1", port))
                except ConnectionRefusedError:
                    print("refused", flush=True)
            return open_games(*arguments)
        app.open_games = knock_and_open
    """
    program = await launch(games=file, port=port, command=program_with(settings))
    assert program.text.startswith("refused\nrefused\n")
    await enter(program, join=init["rejoin"])


async def test_10000_matches_are_read(launch, file):
    make_file_of_many(file, 10_000)
    program = await launch(games=file)
    _, init, past = await enter(program, join="r9999")
    assert (init["code"], past) == ("c09999", [started(), *played(*DRAWN[:20])])
    await program.stop()
    assert len(rows(file)) == 10_000


def make_file_of_many(file, number):
    """Make a file with matches of 20 moves."""
    columns = "".join(map(str, DRAWN[:20]))
    rows = {}
    for each in range(number):
        keys = f"w{each}", f"c{each:05}", f"r{each}", f"y{each}"
        rows[keys[0]] = *keys, "red", columns, 0, 0, "", "", float(each)
    store = Store(str(file))
    store.write(rows)
    store.close()


# Sudden ends


async def keep_busy(program):
    """Have the program write all the time, until it ends."""
    with contextlib.suppress(ConnectionClosed, OSError, InvalidHandshake):
        while True:
            await enter(program)


@pytest.mark.parametrize("times", [5, pytest.param(20, marks=pytest.mark.slow)])
async def test_file_is_never_damaged_by_a_sudden_end(launch, file, times):
    choice = random.Random(times)
    program = await launch(games=file)
    players = Players()
    await players.begin(program)
    for column in DRAWN[:times]:
        await players.play(column)
        await until_saved(program, file)
        crowd = asyncio.gather(*(keep_busy(program) for _ in range(3)))
        await asyncio.sleep(choice.random() / 2)
        await kill(program)
        await crowd
        # Damage would be told, and nobody would find the game.
        assert await program.process.stderr.read() == b""
        program = await launch(games=file)
        await players.come_back(program)
    await program.stop()
