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
import shutil
import sqlite3
import sys

import pytest
from websockets.exceptions import ConnectionClosed, InvalidHandshake

import app
from events import NOT_FOUND, other
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


class Story:
    """What happens at a match, whose players remember it."""

    async def begin(self, program, *deeds):
        red, init, self.past = await enter(program)
        yellow, _, _ = await enter(program, join=init["code"])
        self.players = {"red": red, "yellow": yellow}
        await self.go_on(*deeds)

    async def go_on(self, *deeds):
        """Let players move in turn, in these columns, or ask for a rematch, by name."""
        for deed in deeds:
            last = self.past[-1].get("player")
            turn = last if self.past[-1]["type"] == "start" else other(last)
            who = deed if deed in self.players else turn
            player, witness = self.players[who], self.players[other(who)]
            await (player.ask() if deed == who else player.play(deed))
            # Once this is answered, it has been announced.
            await player.hear()
            for event in await witness.hear():
                if event["type"] == "start":
                    self.past = []
                if event["type"] not in ("presence", "waiting"):
                    self.past.append(event)

    async def come_back(self, program):
        """Connect everybody by their keys, and check that all is as it was."""
        for player, before in self.players.items():
            back, init, past = await enter(program, join=before.init["rejoin"])
            assert (init, past) == (before.init, self.past)
            self.players[player] = back
        for name in "watch", "code":
            client, seen, past = await enter(program, watch=init[name])
            assert (seen["player"], past) == (None, self.past)
            await client.close()


STORIES = [[], DRAWN[:10], [*RED_WINS, "yellow"], [*RED_WINS, "red", "yellow"]]
STORIES += [[*DRAWN, "yellow", "red"], DRAWN]


@pytest.mark.parametrize("way", ["SIGTERM", "SIGKILL"])
async def test_everybody_comes_back_after_a_restart_and_plays_on(launch, file, way):
    program = await launch(games=file)
    stories = [Story() for _ in STORIES]
    for story, deeds in zip(stories, STORIES, strict=True):
        await story.begin(program, *deeds)
    assert [len(story.past) for story in stories] == [1, 11, 10, 1, 1, 44]
    if way == "SIGKILL":
        await until_saved(program, file)
        await program.kill()
    else:
        # All that was announced is kept, even what wasn't written yet.
        for story in stories[:2]:
            await story.go_on(6, 6)
        await program.stop()
        assert [*contents(file)] == [file.name]
        # It's even known when everybody left.
        assert None not in ask(file, "SELECT left FROM matches")[0]
    program = await launch(games=file)
    for story in stories:
        await story.come_back(program)
        if story.past[-1]["type"] in ("play", "start"):
            await story.go_on(2, 2)
    await program.stop()


async def test_keys_stay_secret_and_opened_seats_have_none(launch, file):
    program = await launch(games=file)
    # Matches of base clients, who can't come back, are not kept.
    _, base = await program.start()
    await enter(program, watch=base["watch"])
    await (story := Story()).begin(program, 3, 3)
    red, yellow = story.players.values()
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
    for known in yellow.init["rejoin"], yellow.init["code"]:
        _, init, past = await enter(program, join=known)
        assert past == story.past
    assert init["player"] == "red"


def program_with(settings):
    """Return the command that starts the program with other settings."""
    path = f"import sys; sys.path.insert(0, {str(HERE)!r}); import app, asyncio\n"
    return sys.executable, "-c", f"{path}{settings}\nasyncio.run(app.main())"


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
    kept = {visitors[number][1]["code"] for number in order[-2:]}
    assert {*ask(file, "SELECT code FROM matches")[0]} == kept


async def test_nobody_is_let_in_before_the_file_is_read(launch, file):
    port = free_port()
    settings = f"""if True:
        import socket
        open_games = app.open_games
        def knock_and_open(*arguments):
            for port in ({port}, {port} + 1):
                print(socket.socket().connect_ex(("127.0.0.1", port)))
            return open_games(*arguments)
        app.open_games = knock_and_open
    """
    program = await launch(games=file, port=port, command=program_with(settings))
    assert program.text.startswith(f"{errno.ECONNREFUSED}\n" * 2)
    await program.stop()


# The file can't be written


def test_file_that_is_named_and_cannot_be_written_is_told_in_one_line(file):
    # A folder is no file, nor can one be where the database has its journal.
    file.with_name("games.sqlite3-journal").mkdir()
    for place in ("/proc/nowhere/games.sqlite3", file.parent, file):
        with pytest.raises(SystemExit, match=r"The file of games can't be written: .*"):
            open_games(str(place), 8000)


async def test_default_file_has_the_port_in_its_name_or_is_in_memory(launch, tmp_path):
    program = await launch(games=None, cwd=tmp_path)
    await program.stop()
    assert os.listdir(tmp_path) == [f"games-{program.port}.sqlite3"]
    program = await launch(games=None, cwd="/proc")
    await program.start(**V2)
    pattern = r"The file of games can't be written: .*\. They end with the server\.\n"
    await program.stop(errors=pattern)


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


def make_file(file):
    """Make a file with matches that takes a few pages of 4 KiB."""
    keys = [[f"{name}{number}" for name in "wcry"] for number in range(200)]
    store, _ = open_games(str(file), 8000)
    write(store, {row[0]: (*row, "red", "3", 0, 0, "", "", 0) for row in keys})
    store.close()


def make_later_file(file):
    make_file(file)
    ask(file, f"PRAGMA user_version = {VERSION + 1}")


GARBAGE = random.Random(4).randbytes(8192)


def overwrite(at, data):
    """Return a function that overwrites a part of a file."""
    return lambda file: file.write_bytes(
        file.read_bytes()[:at] + data + file.read_bytes()[at + len(data) :]
    )


def damage_with_log(file):
    file.write_bytes(GARBAGE)
    file.with_name("games.sqlite3-wal").write_bytes(GARBAGE)


def change(row):
    """Return a function that makes rows such as there can't be."""

    def change(file):
        with contextlib.closing(sqlite3.connect(file)) as connection:
            connection.execute("PRAGMA ignore_check_constraints = ON")
            connection.executescript(f"UPDATE matches SET {row}")

    return change


DAMAGES = {
    "text": lambda file: file.write_text("These are my games.\n"),
    "no database": damage_with_log,
    "schema": overwrite(100, GARBAGE[:3000]),
    "index": overwrite(8192, GARBAGE[:4096]),
    "half": lambda file: os.truncate(file, file.stat().st_size // 2),
    "no UTF-8": change("code = CAST(x'ff' AS TEXT)"),
    "column": change("columns = '37'"),
    "no digit": change("columns = '3x'"),
    "no text": change("columns = x'ff00'"),
    "first": change("first = 'green'"),
    "rematch": change("rematch = 'green'"),
    "open": change("open = 'green'"),
    "no number": change("red_wins = 'many'"),
    "no integer": change("red_wins = 9e999"),
    "too many": change("red_wins = 9223372036854775807"),
    "no text for the watch key": change("watch_key = CAST(code AS BLOB)"),
    "no text for a key": change("red_key = x'7230'"),
    "no text for the code": change("code = x'633030'"),
}


@pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES)
def test_damaged_file_is_set_aside_with_its_log(file, capfd, damage):
    make_file(file)
    damage(file)
    damaged = contents(file)
    store, matches = open_games(str(file), 8000)
    store.close()
    assert (matches, ask(file, "SELECT * FROM matches")) == ([], [])
    pattern = rf"{file} is damaged \(.*\): set aside as {file}(\.damaged-[-0-9]+)\.\n"
    suffix = re.fullmatch(pattern, capfd.readouterr().err)[1]
    for name, content in damaged.items():
        aside = file.with_name(name.replace(".sqlite3", f".sqlite3{suffix}"))
        # SQLite may have counted in its header that it was opened.
        assert aside.read_bytes()[100:] == content[100:]


def make_strange_file(file):
    """Make a file all of whose content is in its log, as a crash leaves it."""
    songs = file.with_name("songs")
    with contextlib.closing(sqlite3.connect(songs)) as connection:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("CREATE TABLE songs (title)")
        for suffix in ("", "-wal"):
            shutil.copy(f"{songs}{suffix}", f"{file}{suffix}")


@pytest.mark.parametrize(
    ("make", "words"),
    [(make_strange_file, "another program"), (make_later_file, "a later version")],
)
def test_file_that_is_not_ours_is_left_alone(file, make, words):
    make(file)
    before = contents(file)
    with pytest.raises(SystemExit) as end:
        open_games(str(file), 8000)
    assert end.value.code == f"{file} belongs to {words}. Choose another --games."
    assert contents(file) == before


async def test_second_server_on_the_same_file_is_refused(launch, file):
    make_file(file)
    program = await launch(games=file)
    await until_saved(program, file)
    # It may look damaged while the first one writes: a checkpoint begins with the
    # header, which tells the size of the file.
    for size in (file.stat().st_size, 8192):
        os.truncate(file, size)
        command = sys.executable, "app.py", free_port(), "--games", file
        used = f"{file} is in use by another server. Choose another --games.\n"
        assert await result(await execute(*command)) == (1, "", used)


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
    await (story := Story()).begin(program)
    for column in DRAWN[:times]:
        await story.go_on(column)
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
