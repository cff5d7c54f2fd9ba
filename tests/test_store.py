"""
Tests that the games outlive the server: with its process, and a real file.

What a match is made of is kept, column by column; a file that can't be used is left
alone, or set aside; and nothing that was announced is lost, however the server ends.

"""

import asyncio
import concurrent.futures
import contextlib
import os
import random
import re
import sqlite3
import subprocess
import sys

import pytest
from websockets.exceptions import ConnectionClosed, InvalidHandshake

import app
from events import DRAW, NOT_FOUND, asked, played, started, won
from helpers import DRAWN, HERE, RED_WINS, TIMEOUT, V2, execute, free_port, result
from store import VERSION, Store, open_games


@pytest.fixture
def file(tmp_path):
    """A place for the file of games."""
    return tmp_path / "games.sqlite3"


def left_beside(file):
    """Return the names of the files in the folder of the file of games."""
    return sorted(each.name for each in file.parent.iterdir())


def rows(file, column="code"):
    """Return a column of the file, as it is when the program has ended."""
    with contextlib.closing(sqlite3.connect(file)) as connection:
        return [
            value for (value,) in connection.execute(f"SELECT {column} FROM matches")
        ]


# Matches outlive the process


async def enter(server, **event):
    """Connect a page; return it, its init event, and all from start to presence."""
    client = await server.enter(event, **V2)
    init, past = await client.receive(), []
    while (event := await client.receive())["type"] != "presence":
        past.append(event)
    return client, init, past


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


class Story:
    """What happened at a match, whose players remember it."""

    def __init__(self, *moves, end=None, then=()):
        self.moves, self.end, self.then = moves, end, then

    async def begin(self, program):
        """Start the match, and have it all happen."""
        red, init, _ = await enter(program)
        yellow, other, _ = await enter(program, join=init["code"])
        self.init = init
        self.keys = {"red": init["rejoin"], "yellow": other["rejoin"]}
        self.players = {"red": red, "yellow": yellow}
        self.past = [started()]
        await self.play(*self.moves)
        if self.end:
            await red.receive_until(self.end)
            self.past.append(self.end)
        for player in self.then:
            await self.players[player].ask()
            await red.receive_until(asked(player))
            self.past.append(asked(player))
        if len(self.then) == 2:
            self.past = [await red.receive("start")]
            assert self.past == [started("yellow", red=int(self.end != DRAW))]

    async def play(self, *columns):
        """Play moves, after those that were played."""
        first = self.past[0]["player"]
        before = [event["column"] for event in self.past if event["type"] == "play"]
        for event in played(*before, *columns, first=first)[len(before) :]:
            await self.players[event["player"]].play(event["column"])
            for client in self.players.values():
                await client.receive_until(event)
            self.past.append(event)

    async def come_back(self, program):
        """Connect everybody by their keys, and check that all is as it was."""
        for player, key in self.keys.items():
            self.players[player], init, past = await enter(program, join=key)
            assert (init["player"], init["rejoin"], past) == (player, key, self.past)
            assert init["code"] == self.init["code"]
        for key in self.init["watch"], self.init["code"]:
            client, init, past = await enter(program, watch=key)
            assert (init["player"], past) == (None, self.past)
            await client.close()


def make_stories():
    """Return stories of each kind."""
    return [
        Story(),
        Story(*DRAWN[:10]),
        Story(*RED_WINS, end=won("red"), then=["yellow"]),
        Story(*RED_WINS, end=won("red"), then=["red", "yellow"]),
        Story(*DRAWN, end=DRAW, then=["yellow", "red"]),
        Story(*DRAWN, end=DRAW),
    ]


@pytest.mark.parametrize("way", ["SIGTERM", "SIGKILL"])
async def test_everybody_comes_back_after_a_restart_and_plays_on(launch, file, way):
    program = await launch(games=file)
    stories = make_stories()
    for story in stories:
        await story.begin(program)
    if way == "SIGKILL":
        await until_saved(program, file)
        await program.kill()
    else:
        # All that was announced is kept, even what wasn't written yet.
        for story in stories[:2]:
            await story.play(6, 6)
        await program.stop()
        assert left_beside(file) == [file.name]
        # It's even known when everybody left.
        assert None not in rows(file, "left")
    program = await launch(games=file)
    for story in stories:
        await story.come_back(program)
        if story.past[-1]["type"] in ("play", "start"):
            await story.play(2, 2)
    await program.stop()


async def test_keys_stay_secret_and_opened_seats_have_none(launch, file):
    program = await launch(games=file)
    # Matches of base clients, who can't come back, are not kept.
    _, base = await program.start()
    await enter(program, watch=base["watch"])
    story = Story(3, 3)
    await story.begin(program)
    red = story.players["red"]
    await red.open_seat("red")
    assert (await red.receive("init"))["player"] is None
    await until_saved(program, file)
    # The log holds keys, too.
    assert left_beside(file) == [file.name, f"{file.name}-wal"]
    for name in left_beside(file):
        assert (file.parent / name).stat().st_mode & 0o777 == 0o600
    await program.stop()
    program = await launch(games=file)
    for key in base["join"], story.keys["red"]:
        await (await program.join(key, **V2)).expect_refusal(NOT_FOUND)
    for key in story.keys["yellow"], story.init["code"]:
        _, init, past = await enter(program, join=key)
        assert past == story.past
    assert init["player"] == "red"


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


async def test_nobody_is_let_in_before_the_file_is_read(launch, file):
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
    await program.stop()


def test_10000_matches_are_read(file):
    make_file(file, 10_000)
    store, matches = open_games(str(file), 8000)
    store.close()
    assert [match.code for match in matches] == [
        f"c{each:05}" for each in range(10_000)
    ]
    assert [column for _, column, _ in matches[-1].game.moves] == DRAWN[:20]


# The file can't be written


def test_file_that_is_named_and_cannot_be_written_is_told_in_one_line(file):
    # A folder is no file, nor can one be where the database has its journal.
    file.with_name(f"{file.name}-journal").mkdir()
    for place in ("/proc/nowhere/games.sqlite3", file.parent, file):
        with pytest.raises(SystemExit, match=r"The file of games can't be written: .*"):
            open_games(str(place), 8000)


async def test_default_file_has_the_port_in_its_name_or_is_in_memory(launch, tmp_path):
    program = await launch(games=None, cwd=tmp_path)
    await program.stop()
    assert os.listdir(tmp_path) == [f"games-{program.port}.sqlite3"]
    program = await launch(games=None, cwd="/proc")
    await Story(3).begin(program)
    pattern = r"The file of games can't be written: .*\. They end with the server\.\n"
    await program.stop(errors=pattern)


async def test_full_disk_is_a_warning_and_all_is_written_when_there_is_room(
    server, file, log
):
    store = Store(str(file))
    store.connection.execute("PRAGMA max_page_count = 1")  # and so all that there are
    players = [await server.start(**V2) for _ in range(100)]
    with concurrent.futures.ThreadPoolExecutor(1) as thread:
        for _ in range(2):
            await app.save(store, thread)
        warning = "The games can't be written to the file: database or disk is full."
        assert log.getvalue().count(warning) == 1
        # Of others, it's written what has changed since.
        store.connection.execute("PRAGMA max_page_count = 10000")
        await players[0][0].play(3)
        await players[0][0].receive("play")
        await app.save(store, thread)
    store.close()
    assert sorted(rows(file)) == sorted(init["code"] for _, init in players)
    assert sorted(rows(file, "columns"))[-1] == "3"


# The file is damaged, or somebody else's


def make_file(file, number=1, version=VERSION, **changes):
    """Make a file with matches, in whose rows something may be changed."""
    columns = "".join(map(str, DRAWN[:20]))
    matches = {}
    for each in range(number):
        keys = f"w{each}", f"c{each:05}", f"r{each}", f"y{each}"
        matches[keys[0]] = *keys, "red", columns, 0, 0, "", "", float(each)
    store = Store(str(file))
    store.write(matches)
    for name, value in changes.items():
        store.connection.execute(f"UPDATE matches SET {name} = ?", [value])
    store.connection.execute(f"PRAGMA user_version = {version}")
    store.close()


def overwrite(at, data):
    """Return a function that overwrites a part of a file."""

    def damage(file):
        with open(file, "r+b") as damaged:
            damaged.seek(at)
            damaged.write(data)

    return damage


def replace(old, new):
    """Return a function that replaces some bytes in a file."""
    return lambda file: file.write_bytes(file.read_bytes().replace(old, new))


GARBAGE = random.Random(4).randbytes(8192)
DAMAGES = {
    "no database": lambda file: file.write_bytes(GARBAGE),
    "text": lambda file: file.write_text("These are my games.\n"),
    "start": overwrite(0, GARBAGE[:50]),
    "schema": overwrite(100, GARBAGE[:3000]),
    "index": overwrite(8192, GARBAGE[:4096]),
    "truncated": lambda file: os.truncate(file, 5000),
    "half": lambda file: os.truncate(file, file.stat().st_size // 2),
    "no UTF-8": replace(b"c00000", b"c0000\xff"),
}


def expect_set_aside(file, capfd, files=1):
    """Check that the file is set aside, and one without games takes its place."""
    store, matches = open_games(str(file), 8000)
    store.close()
    assert (matches, rows(file)) == ([], [])
    pattern = rf"{file} is damaged \(.*\): set aside as {file}\.damaged-[-0-9]+\.\n"
    assert re.fullmatch(pattern, capfd.readouterr().err)
    aside = [name for name in left_beside(file) if ".damaged-" in name]
    assert len(aside) == files
    return file.parent / aside[0]


@pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES)
def test_damaged_file_is_set_aside(file, capfd, damage):
    make_file(file, 40)
    damage(file)
    damaged = file.read_bytes()
    aside = expect_set_aside(file, capfd)
    # SQLite may have counted in its header that it was opened.
    assert aside.read_bytes()[100:] == damaged[100:]


async def test_log_of_a_damaged_file_is_set_aside_with_it(launch, file, capfd):
    program = await launch(games=file)
    await until_saved(program, file)
    await program.kill()
    assert file.with_name(f"{file.name}-wal").stat().st_size
    overwrite(0, GARBAGE[:50])(file)
    expect_set_aside(file, capfd, files=2)


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
    "no integer": {"red_wins": float("inf")},
    "too many": {"red_wins": 2**63 - 1},
    "no key": {"watch_key": None},
    "no text for a key": {"red_key": b"r0"},
    "no text for the code": {"code": b"c00000"},
}


@pytest.mark.parametrize("changes", IMPOSSIBLE.values(), ids=IMPOSSIBLE)
def test_file_with_a_match_that_cannot_be_is_set_aside(file, capfd, changes):
    make_file(file, **changes)
    expect_set_aside(file, capfd)


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


STRANGE = [
    (make_strange_file, "another program"),
    (make_strange_log, "another program"),
    (lambda file: make_file(file, version=VERSION + 1), "a later version"),
]


@pytest.mark.parametrize(("make", "words"), STRANGE)
def test_file_that_is_not_ours_is_left_alone(file, make, words):
    make(file)
    before = {name: (file.parent / name).read_bytes() for name in left_beside(file)}
    with pytest.raises(SystemExit) as end:
        open_games(str(file), 8000)
    assert end.value.code == f"{file} belongs to {words}. Choose another --games."
    after = {name: (file.parent / name).read_bytes() for name in left_beside(file)}
    assert after == before


async def test_second_server_on_the_same_file_is_refused(launch, file):
    make_file(file, 200)
    whole = file.read_bytes()
    program = await launch(games=file)
    client, init, _ = await enter(program)
    await until_saved(program, file)
    # It may look damaged while the first one writes: a checkpoint begins with the
    # header, which tells the size of the file.
    for size in (len(whole), 8192):
        os.truncate(file, size)
        command = sys.executable, "app.py", free_port(), "--games", file
        status, output, errors = await result(await execute(*command))
        assert (status, output) == (1, "")
        used = f"{file} is in use by another server. Choose another --games.\n"
        assert errors == used
    file.write_bytes(whole)
    await client.play(3)
    await program.stop()
    program = await launch(games=file)
    _, _, past = await enter(program, join=init["rejoin"])
    assert past == [started(), *played(3)]


# Sudden ends


async def keep_busy(program):
    """Have the program write all the time, until it ends."""
    with contextlib.suppress(ConnectionClosed, OSError, InvalidHandshake):
        while True:
            await enter(program)


@pytest.mark.parametrize("times", [2, pytest.param(10, marks=pytest.mark.slow)])
async def test_file_is_never_damaged_by_a_sudden_end(launch, file, times):
    choice = random.Random(times)
    program = await launch(games=file)
    story = Story()
    await story.begin(program)
    for column in DRAWN[:times]:
        await story.play(column)
        await until_saved(program, file)
        crowd = asyncio.gather(*(keep_busy(program) for _ in range(3)))
        await asyncio.sleep(choice.random() / 2)
        await program.kill()
        await crowd
        # Damage would be told, and nobody would find the game.
        assert await program.process.stderr.read() == b""
        program = await launch(games=file)
        await story.come_back(program)
    await program.stop()
