"""
Tests that the games outlive the server: with its process, and a real file.

What a match is made of is kept, column by column; a file that can't be used is left
alone, or set aside; and nothing that was announced is lost, however the server ends.

"""

import asyncio
import contextlib
import errno
import os
import random
import re
import sqlite3
import sys

import pytest
from websockets.exceptions import ConnectionClosed, InvalidHandshake

import app
from events import NOT_FOUND, asked, played, started
from helpers import DRAWN, HERE, RED_WINS, TIMEOUT, V2, execute, free_port, result
from store import VERSION, open_games, write


@pytest.fixture
def file(tmp_path):
    """A place for the file of games."""
    return tmp_path / "games.sqlite3"


def contents(file):
    """Return what is in each file in the folder of the file of games, by its name."""
    return {each.name: each.read_bytes() for each in file.parent.iterdir()}


def ask(file, query):
    """Return what a database without a server answers, column by column."""
    with contextlib.closing(sqlite3.connect(file, isolation_level=None)) as connection:
        return [*zip(*connection.execute(query), strict=True)]


def make_file(file, lefts=(0,) * 200):
    """Make a file of matches that were left then; by default, some pages of 4 KiB."""
    rows = {}
    for number, left in enumerate(lefts):
        keys = [f"{name}{number}" for name in "wcry"]
        rows[keys[0]] = (*keys, "red", "3", 0, 0, "", "", left)
    store, _ = open_games(str(file), 8000)
    write(store, rows)
    store.close()


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
            while init["rejoin"].encode() not in b"".join(contents(file).values()):
                await asyncio.sleep(0.01)
        await marker.close()


async def play_match(program, columns=(), askers=()):
    """Return the players of a new match, who have moved and asked for a rematch."""
    red, yellow = await program.start_game()
    for event in [*played(*columns), *map(asked, askers)]:
        player = red if event["player"] == "red" else yellow
        await (player.play(event["column"]) if "column" in event else player.ask())
        for each in (red, yellow):
            await each.receive_until(event)
    return red, yellow


async def come_back(program, players, past):
    """Connect players again, and check that all is as it was."""
    back = [await enter(program, join=player.init["rejoin"]) for player in players]
    assert [init for _, init, _ in back] == [player.init for player in players]
    assert [told for *_, told in back] == [past, past]
    return [client for client, *_ in back]


# Where matches are when the server stops, and of how many events that past is.
MATCHES = [
    (DRAWN[:10], [], 11),
    (RED_WINS, ["yellow"], 10),
    (RED_WINS, ["red", "yellow"], 1),
    (DRAWN, [], 44),
]


async def test_everybody_comes_back_after_a_restart_and_plays_on(launch, file):
    program = await launch(games=file)
    matches = []
    for columns, askers, number in MATCHES:
        players = await play_match(program, columns, askers)
        _, _, past = await enter(program, watch=players[0].init["code"])
        assert len(past) == number
        matches.append((players, past))
    # What is announced right before the end is kept, too.
    (red, yellow), past = matches[0]
    await red.play(6)
    past.append(await yellow.receive("play"))
    await program.stop()
    assert [*contents(file)] == [file.name]
    # It's even known when everybody left.
    assert None not in ask(file, "SELECT left FROM matches")[0]
    program = await launch(games=file)
    matches = [await come_back(program, *match) for match in matches]
    (red, yellow), (asker, other), *_ = matches
    await yellow.play(6)
    await red.receive_until(played(*DRAWN[:10], 6, 6)[-1])
    await asker.ask()
    await other.receive_until(started("yellow", red=1))
    await program.stop()


async def test_keys_stay_secret_and_opened_seats_have_none(launch, file):
    program = await launch(games=file)
    # Matches of base clients, who can't come back, are not kept.
    _, base = await program.start()
    await enter(program, watch=base["watch"])
    red, yellow = await play_match(program, [3, 3])
    key = red.init["rejoin"]
    await red.open_seat("red")
    assert (await red.receive("init"))["player"] is None
    await until_saved(program, file)
    # The log holds keys, too.
    assert contents(file).keys() == {"games.sqlite3", "games.sqlite3-wal"}
    for each in file.parent.iterdir():
        assert each.stat().st_mode & 0o777 == 0o600
    await program.stop()
    program = await launch(games=file)
    for unknown in base["join"], key:
        await (await program.join(unknown, **V2)).expect_refusal(NOT_FOUND)
    await enter(program, join=yellow.init["rejoin"])
    _, init, past = await enter(program, join=yellow.init["code"])
    assert (init["player"], past) == ("red", [started(), *played(3, 3)])


def program_with(settings):
    """Return the command that starts the program with other settings."""
    path = f"import sys; sys.path.insert(0, {str(HERE)!r}); import app, asyncio\n"
    return sys.executable, "-c", f"{path}{settings}\nasyncio.run(app.main())"


async def test_those_who_left_first_are_forgotten_first_after_a_restart(launch, file):
    # Somebody was at the second when the server stopped.
    make_file(file, [3, None, 1, 2])
    program = await launch(games=file, command=program_with("app.MAX_KEPT = 2"))
    await program.stop()
    assert ask(file, "SELECT code FROM matches ORDER BY code") == [("c0", "c1")]


async def test_nobody_is_let_in_before_the_file_is_read_though_a_port_is_lost(file):
    port = free_port()
    settings = f"""if True:
        import socket
        open_games = app.open_games
        def knock_and_open(*arguments):
            for port in ({port}, {port} + 1):
                print(socket.socket().connect_ex(("127.0.0.1", port)))
            app.other = socket.create_server(("127.0.0.1", {port}))
            return open_games(*arguments)
        app.open_games = knock_and_open
    """
    options = port, "--bind", "127.0.0.1", "--games", file
    process = await execute(*program_with(settings), *options)
    lost = f"Cannot listen on port {port}: Address already in use.\n"
    assert await result(process) == (1, f"{errno.ECONNREFUSED}\n" * 2, lost)


# The file can't be written


def test_file_that_is_named_and_cannot_be_written_is_told_in_one_line(file):
    # A folder is no file, nor can one be where the database has its journal.
    file.with_name("games.sqlite3-journal").mkdir()
    for place in ("/proc/nowhere/x", "/proc/version", "/dev/null", file.parent, file):
        with pytest.raises(SystemExit, match=r"The file of games can't be written: .*"):
            open_games(str(place), 8000)


def test_default_file_has_the_port_in_its_name_or_is_in_memory(
    tmp_path, monkeypatch, capsys
):
    for folder in (tmp_path, "/proc"):
        monkeypatch.chdir(folder)
        store, _ = open_games(None, 8000)
        store.close()
    assert os.listdir(tmp_path) == ["games-8000.sqlite3"]
    pattern = r"The file of games can't be written: .*\. The games end with .*\n"
    assert re.fullmatch(pattern, capsys.readouterr().err)


async def test_full_disk_is_a_warning_and_all_is_written_when_there_is_room(
    server, file, log
):
    store, _ = open_games(str(file), 8000)
    store.execute("PRAGMA max_page_count = 1")  # and so all that there are
    players = [await server.start(**V2) for _ in range(100)]
    for _ in range(2):
        await app.save(store)
    warning = "The games can't be written to the file: database or disk is full."
    assert log.getvalue().count(warning) == 1
    # Of others, it's written what has changed since.
    store.execute("PRAGMA max_page_count = 10000")
    await players[0][0].play(3)
    await players[0][0].receive("play")
    await app.save(store)
    store.close()
    codes, columns = ask(file, "SELECT code, columns FROM matches")
    assert sorted(codes) == sorted(init["code"] for _, init in players)
    assert sorted(columns)[-2:] == ["", "3"]


# The file is damaged, or somebody else's


GARBAGE = random.Random(4).randbytes(8192)

# What is written over which part of the file, or how rows are changed.
DAMAGES = {
    "text": (slice(None), b"These are my games.\n"),
    "no database": (slice(None), GARBAGE),
    "schema": (slice(100, 3000), GARBAGE[100:3000]),
    "index": (slice(8192, 12288), GARBAGE[:4096]),
    "half": (slice(12288, None), b""),
    "hardly anything": (slice(50, None), b""),
    "no UTF-8": "code = CAST(x'ff' AS TEXT)",
    "column": "columns = '37'",
    "first": "first = 'green'",
    "rematch": "rematch = 'green'",
    "open": "open = 'green'",
    "no number": "red_wins = 'many'",
    "no integer": "red_wins = 1.5",
    "too many": "red_wins = 9223372036854775807",
    "no text for the watch key": "watch_key = CAST(code AS BLOB)",
    "no text for a key": "red_key = x'7230'",
}


@pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES)
def test_damaged_file_is_set_aside(file, capfd, damage):
    make_file(file)
    if isinstance(damage, str):
        with contextlib.closing(sqlite3.connect(file)) as connection:
            connection.execute("PRAGMA ignore_check_constraints = ON")
            connection.executescript(f"UPDATE matches SET {damage}")
    else:
        content = bytearray(file.read_bytes())
        content[damage[0]] = damage[1]
        file.write_bytes(content)
    file.with_name("games.sqlite3-wal").write_bytes(GARBAGE)
    damaged = file.read_bytes()
    store, matches = open_games(str(file), 8000)
    store.close()
    assert (matches, ask(file, "SELECT * FROM matches")) == ([], [])
    pattern = rf"{file} is damaged \(.*\): set aside as ({file}\.damaged-[-0-9]+)\.\n"
    aside = file.parent / re.fullmatch(pattern, capfd.readouterr().err)[1]
    assert {*contents(file)} == {file.name, aside.name}
    # SQLite may have counted in its header that it was opened.
    assert aside.read_bytes()[100:] == damaged[100:]


# What a file says that it is, from where to 1000 it can't be read, and whose it is.
OTHERS = [
    ("application_id = 0", 1000, "another program"),
    ("application_id = 7", 100, "another program"),
    (f"user_version = {VERSION + 1}", 100, "a later version"),
]


@pytest.mark.parametrize(("header", "start", "owner"), OTHERS)
def test_file_that_is_not_ours_is_left_alone(file, header, start, owner):
    make_file(file)
    ask(file, f"PRAGMA {header}")
    content = file.read_bytes()
    file.write_bytes(content[:start] + GARBAGE[start:1000] + content[1000:])
    before = contents(file)
    with pytest.raises(SystemExit, match=rf"{file} belongs to {owner}\."):
        open_games(str(file), 8000)
    assert contents(file) == before


async def test_second_server_on_the_same_file_is_refused(launch, file):
    make_file(file)
    await launch(games=file)
    # It may look damaged while the first one writes: a checkpoint begins with the
    # header, which tells the size of the file.
    for size in (file.stat().st_size, 8192):
        os.truncate(file, size)
        with pytest.raises(SystemExit, match=rf"{file} is in use by another server\."):
            open_games(str(file), 8000)


# Sudden ends


async def keep_busy(program):
    """Have the program write all the time, until it ends."""
    with contextlib.suppress(ConnectionClosed, OSError, InvalidHandshake):
        while True:
            await enter(program)


@pytest.mark.parametrize("times", [1, pytest.param(10, marks=pytest.mark.slow)])
async def test_file_is_never_damaged_by_a_sudden_end(launch, file, times):
    choice, past = random.Random(times), [started()]
    program = await launch(games=file)
    players = await play_match(program)
    for turn, move in enumerate(played(*DRAWN[:times])):
        await players[turn % 2].play(move["column"])
        past.append(await players[turn % 2].receive("play"))
        await until_saved(program, file)
        crowd = asyncio.gather(*(keep_busy(program) for _ in range(3)))
        await asyncio.sleep(choice.random() / 2)
        await program.kill()
        await crowd
        # Damage would be told, and nobody would find the match.
        assert await program.process.stderr.read() == b""
        program = await launch(games=file)
        players = await come_back(program, players, past)
    await program.stop()
