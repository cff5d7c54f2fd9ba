#!/usr/bin/env python3
"""
Connect Four for two players and any number of spectators.

Serve the page and the games, over WebSocket, at one address. This goes on where the
tutorial ends; README.md tells what it adds, and why:
https://websockets.readthedocs.io/en/stable/intro/tutorial2.html

"""

import argparse
import asyncio
import concurrent.futures
import contextlib
import itertools
import json
import secrets
import sqlite3
import sys
import time

from websockets.asyncio.server import broadcast
from websockets.exceptions import ConnectionClosed

from addresses import find_addresses, print_addresses
from connect4 import PLAYER1, PLAYER2, Refused
from match import Match, encode
from serving import PRESENCE_INTERVAL, is_alive, set_up_process, take_ports, warn
from store import make_row, open_games, write

JOIN = {}  # key of a seat, or code: match
WATCH = {}  # key of the spectators, or code: match

# The matches at which a player waits for somebody on the local network, in the order
# in which they began to. The second is told of the first, the fourth of the third, so
# that no two ever go to each other.
WAITING = {}  # match: the code that the player was told, or None; "" before that

UNTOLD = set()  # the matches of which something has to be told
UNSAVED = set()  # those that have to be written to the file

# The addresses of this machine on the network, with their interfaces, the best first.
ADDRESSES = []

# For how many seconds, and how many, matches are kept to which nobody is connected.
GRACE_PERIOD = 24 * 60 * 60
MAX_KEPT = 10_000

# In seconds:
INIT_TIMEOUT = 10  # how long a connection may take to send its first event
SAVE_INTERVAL = 0.2  # how often what has changed is written to the file
CLOSE_TIMEOUT = 1.5  # how long clients are waited for when the server stops

# A code is read aloud and typed: none of these look alike.
CODE_LETTERS = "23478abcdefhjkmnpqrtvwxy"
CODE_LENGTH = 6


def parse(message):
    """Return the event, a dict with a ``type``, of a message; raise :exc:`Refused`."""
    try:
        event = json.loads(message) if isinstance(message, str) else None
    # A message that is nested too deeply is a RecursionError.
    except (ValueError, RecursionError):
        event = None
    if not isinstance(event, dict) or "type" not in event:
        raise Refused('An event is text, a JSON object with a "type".')
    return event


def parse_init(message):
    """Return the ``init`` event of a message; raise :exc:`Refused`."""
    event = parse(message)
    if event["type"] != "init":
        raise Refused('The first event is an "init" event.')
    for way in event.keys() & {"join", "watch"}:
        if not isinstance(event[way], str):
            raise Refused("A key is a string.")
        # A code may be typed in capitals.
        if len(event[way]) == CODE_LENGTH:
            event[way] = event[way].lower()
    return event


def error(websocket, message, **details):
    """Tell one client what was wrong, in a sentence."""
    event = {
        "type": "error",
        "message": message,
        **details,
    }
    # Unlike send(), this raises nothing if the client has left: what it sent before
    # it did still counts.
    broadcast([websocket], json.dumps(event))


def replay(websocket, match):
    """Send one client the past, and in connect4.v2 all that a newcomer has to know."""
    page = websocket.subprotocol is not None
    events = match.past(page)
    if page:
        player = match.connected[websocket]
        init = {
            "type": "init",
            "player": player,
            "watch": match.watch_key,
            "code": match.code,
            "host": ADDRESSES[0][1] if ADDRESSES else None,
        }
        if player is not None:
            init["rejoin"] = match.keys[player]
        websocket.told = match.presence()
        events = [json.dumps(init), *events, websocket.told]
    for event in events:
        broadcast([websocket], event)


def change(match):
    """Have what is new about a match told, and written to the file, in a moment."""
    if not UNTOLD:
        asyncio.get_running_loop().call_later(PRESENCE_INTERVAL, tell)
    UNTOLD.add(match)
    UNSAVED.add(match)
    # While an open seat is free, one player is here at most, who waits.
    if match.free and any(player.is_local for player in match.players.values()):
        WAITING.setdefault(match, "")
    else:
        WAITING.pop(match, None)


def tell():
    """Tell who is here, and who else waits, to all who were told otherwise."""
    for match in UNTOLD:
        match.announce_presence()
    UNTOLD.clear()
    code = None
    for match, told in WAITING.items():
        if told != code:
            WAITING[match] = code
            event = {
                "type": "waiting",
                "code": code,
            }
            broadcast(match.players.values(), json.dumps(event))
        # Who is told of another completes a pair; the next one begins another.
        code = match.code if code is None else None


def keep(match):
    """Let the keys and the code of a match lead to it."""
    JOIN.update(dict.fromkeys(match.keys.values(), match))
    WATCH[match.watch_key] = match
    if match.code is not None:
        JOIN[match.code] = WATCH[match.code] = match


def change_key(match, seat):
    """Give a seat another key: whoever sat there before can't come back by theirs."""
    JOIN.pop(match.keys[seat], None)
    match.keys[seat] = secrets.token_urlsafe(12)
    keep(match)


def forget(match):
    """Forget a match, and close the connections of its spectators."""
    for key in (match.watch_key, match.code, *match.keys.values()):
        JOIN.pop(key, None)
        WATCH.pop(key, None)
    UNSAVED.add(match)
    for spectator in match.connected:
        error(spectator, "Nobody plays any more, and the game is gone.")
    # Together, as closing takes a while where a client has frozen.
    asyncio.gather(*(spectator.close() for spectator in match.connected))
    match.connected.clear()


def forget_old():
    """Forget the matches to which nobody came back in time, or that are too many."""
    left = [match for match in {*WATCH.values()} if not match.connected]
    # Somebody who starts many must not push out two players who are away.
    left.sort(key=lambda match: (not match.open, match.left), reverse=True)
    since = time.monotonic() - GRACE_PERIOD
    kept = [match for match in left if match.left > since][:MAX_KEPT]
    for match in {*left} - {*kept}:
        forget(match)


def process(websocket, match, event):
    """Do what a player or a spectator asks for; raise :exc:`Refused` if it can't be."""
    # A player becomes a spectator by making room for somebody else.
    player = match.connected.get(websocket)
    page = websocket.subprotocol is not None

    if event["type"] == "play" and player is not None:
        # Play the move, and send it to everybody.
        column = event.get("column")
        row = match.play(player, column)
        move = encode("play", player=player, column=column, row=row)
        broadcast(match.connected, move)

        # If the game is over, send how it ended.
        if match.game.winner is not None:
            broadcast(match.connected, encode("win", player=player))
        elif match.game.over:
            broadcast(match.pages, encode("draw"))
        UNSAVED.add(match)

    elif event["type"] == "rematch" and player is not None and page:
        match.ask_rematch(player)
        UNSAVED.add(match)

    elif event["type"] == "open" and page:
        seat = event.get("player")
        match.open_seat(seat, player)
        change_key(match, seat)
        # Who opens their own seat watches from now on.
        if seat == player:
            replay(websocket, match)
        change(match)

    elif event["type"] == "ping" and page:
        broadcast([websocket], encode("pong"))

    elif player is None:
        raise Refused('You are watching; connect4.v2 has "open" and "ping" for you.')
    else:
        raise Refused('Send "play"; in connect4.v2 also "rematch", "open" or "ping".')


async def play(websocket, match, player=None):
    """Let a player, or a spectator if ``player`` is None, take part until the end."""
    # Register them and send them the past in one go, without awaiting anything, so that
    # no move can be missed, doubled or overtaken.
    match.enter(websocket, player)
    replay(websocket, match)
    change(match)
    try:
        # Receive and process their events.
        async for message in websocket:
            try:
                process(websocket, match, parse(message))
            except Refused as exc:
                error(websocket, str(exc))
            # Those who send much mustn't keep the others waiting.
            await asyncio.sleep(0)
    finally:
        # Unregister them. In the base protocol, the first player can't come back.
        match.leave(websocket)
        if match.code is None and not match.players:
            forget(match)
        change(match)


def new_code():
    """Return a code that isn't in use."""
    while True:
        code = "".join(secrets.choice(CODE_LETTERS) for _ in range(CODE_LENGTH))
        if code not in JOIN:
            return code


async def start(websocket):
    """Handle a connection from the first player: start a match."""
    base = websocket.subprotocol is None
    match = Match(None if base else new_code())
    keep(match)

    # In the base protocol, send the keys for the second player and for spectators.
    if base:
        event = {
            "type": "init",
            "join": match.keys[PLAYER2],
            "watch": match.watch_key,
        }
        broadcast([websocket], json.dumps(event))

    # Receive and process moves from the first player.
    await play(websocket, match, PLAYER1)


async def find_seat(key):
    """
    Return the match to which a key or a code leads, and a seat in it, or None.

    Nobody sits in that seat, or only who gave no sign of life.

    Raise :exc:`KeyError` if it leads nowhere.

    """
    gone = {None: True}  # connection: whether it gave no sign of life
    while True:
        # To ask somebody gives up control: look everything up again afterwards.
        match = JOIN[key]
        for seat in match.find_seats(key):
            occupant = match.players.get(seat)
            if occupant not in gone:
                gone[occupant] = not await is_alive(occupant)
                break
            if gone[occupant]:
                return match, seat
        else:
            return match, None


async def join(websocket, key):
    """Handle a connection from a player who takes a seat, or takes it again."""
    # Find the match, and a seat. Nothing is awaited from then on until it's taken.
    try:
        match, seat = await find_seat(key)
    except KeyError:
        error(websocket, "Game not found.")
        return

    # If there is none, who comes by a key is refused. By the code, they watch.
    if seat is None and key != match.code:
        details = {} if websocket.subprotocol is None else {"watch": match.watch_key}
        error(websocket, "The game already has this player.", **details)
        return

    if seat in match.players:
        # The newcomer, and not who sat there, waits for somebody: after all others.
        WAITING.pop(match, None)
        occupant = match.players[seat]
        match.leave(occupant)
        occupant.drop()
    if seat is not None and key == match.code:
        change_key(match, seat)
        match.go_on(newcomer=seat)
    await play(websocket, match, seat)


async def watch(websocket, key):
    """Handle a connection from a spectator: watch a match."""
    # Find the match.
    if key not in WATCH:
        error(websocket, "Game not found.")
        return

    # Send each move to the spectator.
    await play(websocket, WATCH[key])


async def handler(websocket):
    """Handle a connection: find out who it is, and dispatch accordingly."""
    try:
        async with asyncio.timeout(INIT_TIMEOUT):
            event = parse_init(await websocket.recv())
        if "join" in event:
            # A player takes a seat.
            await join(websocket, event["join"])
        elif "watch" in event:
            # A spectator watches a match.
            await watch(websocket, event["watch"])
        else:
            # The first player starts a match.
            await start(websocket)
    except (Refused, TimeoutError) as exc:
        error(websocket, str(exc) or "The first event did not come in time.")
        await websocket.close(1008)
    except ConnectionClosed:
        # A connection that ends, whenever and however, is no error.
        pass


async def save(store):
    """Write what has changed to the file, in a thread, so that no game waits for it."""
    changed = [match for match in UNSAVED if match.code is not None]
    UNSAVED.clear()
    rows = {
        match.watch_key: make_row(match) if match.watch_key in WATCH else None
        for match in changed
    }
    if not rows:
        return
    try:
        await asyncio.to_thread(write, store, rows)
    except sqlite3.Error as exc:
        # Try again with what is true then.
        UNSAVED.update(changed)
        warn(f"The games can't be written to the file: {exc}.")


def parse_arguments():
    """Return what the command line says, or exit with a message."""
    parser = argparse.ArgumentParser(description="Play Connect Four on this network.")
    about_port = "port, 1 to 65534; WebSockets are on the next, too (default: 8000)"
    parser.add_argument("port", nargs="?", type=int, default=8000, help=about_port)
    about_bind = "address to listen on (default: all interfaces)"
    parser.add_argument("-b", "--bind", metavar="ADDRESS", help=about_bind)
    about_games = "file of games, or :memory: for none (default: games-PORT.sqlite3)"
    parser.add_argument("-g", "--games", metavar="FILE", help=about_games)
    arguments = parser.parse_args()
    if not 1 <= arguments.port <= 65534:
        parser.error("a port is a number from 1 to 65534")
    return arguments


async def main():
    """Serve the page and the games until the process is told to stop."""
    arguments = parse_arguments()
    stop = asyncio.Event()
    set_up_process(stop)

    # Nobody is let in before the server knows all the matches that it kept.
    servers = await take_ports(handler, arguments.bind, arguments.port)
    store, matches = open_games(arguments.games, arguments.port)
    for match in matches:
        keep(match)
    # Nor before it has its one thread: later, there may be none to be had.
    executor = concurrent.futures.ThreadPoolExecutor(1)
    asyncio.get_running_loop().set_default_executor(executor)
    listening = [sock.getsockname()[0] for sock in servers[0].sockets]
    ADDRESSES[:] = await asyncio.to_thread(find_addresses, listening)
    try:
        for server in servers:
            await server.start_serving()
    except OSError as exc:
        # Two servers can take a port at the same moment, but only one can listen.
        sys.exit(f"Cannot listen on port {arguments.port}: {exc.strerror}.")
    print_addresses(listening, ADDRESSES, arguments.port)
    print("Ctrl-C stops.", flush=True)

    looks = itertools.count()
    while True:
        await asyncio.sleep(SAVE_INTERVAL)
        if next(looks) % 25 == 0:
            forget_old()
            # A laptop may be on another network by now. In a thread, because Windows
            # may wait for a server of names.
            ADDRESSES[:] = await asyncio.to_thread(find_addresses, listening)
        await save(store)
        if stop.is_set():
            break

    # Whoever doesn't close in time is cut off when the event loop ends.
    for server in servers:
        server.close()
    closing = [asyncio.create_task(server.wait_closed()) for server in servers]
    await asyncio.wait(closing, timeout=CLOSE_TIMEOUT)
    await save(store)
    store.close()


if __name__ == "__main__":
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(main())
