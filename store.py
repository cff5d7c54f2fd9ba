"""
The file of games: what is to be there when the server has stopped, and starts again.

It mirrors the matches, of which all stay in memory. A match is a row; the board
isn't in it, because it follows from the columns that were played.

"""

import os
import sqlite3
import sys
import time

from connect4 import Connect4
from match import PLAYERS, Match

# By these, a file tells that it's ours, and how to read it.
APPLICATION_ID = int.from_bytes(b"Con4")
VERSION = 1

# A match is a row, in which players are separated by spaces. By itself, SQLite takes
# any value for any column.
SCHEMA = """
CREATE TABLE IF NOT EXISTS matches (
    watch_key TEXT PRIMARY KEY NOT NULL,
    code TEXT NOT NULL,
    red_key TEXT,
    yellow_key TEXT,
    first TEXT NOT NULL,           -- who moved first in this game
    columns TEXT NOT NULL,         -- those that were played, from 0 to 6, in order
    red_wins INTEGER NOT NULL,     -- before this game
    yellow_wins INTEGER NOT NULL,
    rematch TEXT NOT NULL,
    open TEXT NOT NULL,
    left REAL,                     -- when a connection ended last, by time.time()
    CHECK (first IN ('red', 'yellow')),
    CHECK (rematch IN ('', 'red', 'yellow', 'red yellow', 'yellow red')),
    CHECK (open IN ('', 'red', 'yellow', 'red yellow', 'yellow red')),
    CHECK (typeof(red_wins) = 'integer' AND red_wins BETWEEN 0 AND 1e15),
    CHECK (typeof(yellow_wins) = 'integer' AND yellow_wins BETWEEN 0 AND 1e15),
    CHECK ('blob' NOT IN (typeof(watch_key), typeof(code))),
    CHECK ('blob' NOT IN (typeof(red_key), typeof(yellow_key)))
)
"""


def make_row(match):
    """Return the row of a match, a tuple."""
    epoch = time.time() - time.monotonic()
    return (
        match.watch_key,
        match.code,
        *match.keys.values(),
        match.game.first,
        "".join(str(column) for _, column, _ in match.game.moves),
        *match.wins.values(),
        " ".join(match.rematch),
        " ".join(match.open),
        epoch + match.left,
    )


def make_match(row):
    """Return the match of a row; raise :exc:`ValueError` if it can't be played."""
    watch_key, code, red_key, yellow_key, first, columns, *wins, rematch, seats, _ = row
    match = Match(code, watch_key)
    match.keys = dict(zip(PLAYERS, (red_key, yellow_key), strict=True))
    match.game = Connect4(first)
    for column in columns:
        match.game.play(match.game.turn, int(column))
    match.wins = dict(zip(PLAYERS, wins, strict=True))
    match.rematch = rematch.split()
    match.open = set(seats.split())
    return match


def open_store(path):
    """
    Return the connection to a file of games, and the matches in it.

    The one that was left longest ago is the first. Exit if it's not our file to change.

    Raise :exc:`sqlite3.OperationalError` or :exc:`OSError` if it can't be written, or
    is in use; :exc:`ValueError` or :exc:`sqlite3.DatabaseError` if it's damaged.

    """
    if path != ":memory:":
        # It holds keys, and so it's for nobody else to read.
        os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
        if not os.path.isfile(path):
            raise OSError("it isn't a regular file")
    # The event loop opens it, and a thread writes: one after the other.
    store = sqlite3.connect(path, timeout=0, check_same_thread=False)
    try:
        store.execute("PRAGMA locking_mode = EXCLUSIVE")
        with store:
            store.execute("BEGIN EXCLUSIVE")
            (application,) = store.execute("PRAGMA application_id").fetchone()
            (version,) = store.execute("PRAGMA user_version").fetchone()
            # It's 0 in a new file, and in many of other programs, which have tables.
            if application != APPLICATION_ID and (
                application or any(store.execute("SELECT 1 FROM sqlite_master"))
            ):
                sys.exit(f"{path} belongs to another program. Choose another --games.")
            if version > VERSION:
                sys.exit(f"{path} belongs to a later version. Choose another --games.")
            store.execute(f"PRAGMA application_id = {APPLICATION_ID}")
            store.execute(f"PRAGMA user_version = {VERSION}")
            store.execute(SCHEMA)
        store.execute("PRAGMA journal_mode = WAL")
        store.execute("PRAGMA synchronous = NORMAL")
        (result,) = store.execute("PRAGMA quick_check(1)").fetchone()
        if result != "ok":
            raise ValueError(" ".join(result.split()))
        # By itself, sqlite3 says of text that isn't UTF-8 what it says of a full disk.
        store.text_factory = bytes.decode
        rows = store.execute("SELECT * FROM matches ORDER BY left IS NULL, left")
        return store, [make_match(row) for row in rows]
    except BaseException:
        store.close()
        raise


def write(store, rows):
    """Write ``{watch_key: row}``; a match that is forgotten has None for a row."""
    # A match is deleted in any case, and inserted again if it's there.
    delete = "DELETE FROM matches WHERE watch_key = ?"
    insert = "INSERT INTO matches VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
    with store:
        store.executemany(delete, [(key,) for key in rows])
        store.executemany(insert, [row for row in rows.values() if row is not None])


def open_games(path, port):
    """
    Return what :func:`open_store` does, or exit with a message.

    Without a ``path``, the file has its name by the ``port``, and if it can't be
    written, the games are in memory. If it's damaged, it's set aside.

    """
    file = path or f"games-{port}.sqlite3"
    try:
        try:
            return open_store(file)
        except sqlite3.OperationalError:
            raise  # That isn't damage, though it's a DatabaseError, too.
        except (sqlite3.DatabaseError, ValueError) as exc:
            aside = f"{file}.damaged-{time.strftime('%Y%m%d-%H%M%S')}"
            # SQLite has moved what was in its log there when it closed the file.
            os.replace(file, aside)
            print(f"{file} is damaged ({exc}): set aside as {aside}.", file=sys.stderr)
            return open_store(file)
    except (OSError, sqlite3.OperationalError) as exc:
        if getattr(exc, "sqlite_errorcode", None) == sqlite3.SQLITE_BUSY:
            sys.exit(f"{file} is in use by another server. Choose another --games.")
        message = f"The file of games can't be written: {exc}."
        if path is not None:
            sys.exit(message)
        print(f"{message} The games end with the server.", file=sys.stderr)
        return open_store(":memory:")
