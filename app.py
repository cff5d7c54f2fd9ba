#!/usr/bin/env python3
"""
Connect Four for two players and any number of spectators.

Serve the page on one port and the games, over WebSocket, on the next. The
tutorial of which this is the continuation tells how it works:
https://websockets.readthedocs.io/en/stable/intro/tutorial2.html

"""

import argparse
import asyncio
import contextlib
import errno
import functools
import gc
import ipaddress
import json
import logging
import secrets
import signal
import socket
import sys

from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosed
from websockets.frames import Frame, Opcode
from websockets.protocol import State

from connect4 import PLAYER1, PLAYER2, Connect4, IllegalMove
from page import refuse_surplus, serve_page

# The games, by the keys that people were given.
JOIN = {}  # key: (match, player)
WATCH = {}  # key: match

# The games whose players are all away, the longest forsaken first.
FORSAKEN = {}  # match: timer that forgets it

# Whether the server begins no game any more: it stops when the last is over.
DRAINING = asyncio.Event()

# How long a game waits for its players to come back, in seconds.
GRACE_PERIOD = 600

# How many games may wait, so that games that nobody plays can't fill the memory.
MAX_FORSAKEN = 10_000

# By default, Python looks at all that there is for cyclic garbage 20 times as often:
# 40 % of what it costs to connect 5,000 pages, and 0.3 s each time for everybody.
GC_THRESHOLDS = 700, 10, 200

# How long a connection may take to send its first event, in seconds.
INIT_TIMEOUT = 10

# How long a player may take to show that they still sit there, in seconds.
PROBE_TIMEOUT = 2

# How often the people at a game are told who comes and goes, in seconds.
PRESENCE_INTERVAL = 0.2

# The code that opens the second seat is read aloud and typed: none look alike.
CODE_LETTERS = "23478abcdefhjkmnpqrtvwxy"
CODE_LENGTH = 6

# The subprotocol of clients that understand more than the tutorial's.
EXTENSION = "connect4.v2"

# The types of the events that are sent to other clients as well.
BASE_EVENTS = {"init", "play", "win", "error"}

# At level DEBUG the library logs what it receives, and that includes keys. At level
# INFO it logs each connection, for a tenth of its cost, though nobody reads it.
LOGGER = logging.getLogger("connect4.server")
LOGGER.setLevel(logging.WARNING)


class Match:
    """A game and its rematches, their keys, and who is connected."""

    def __init__(self):
        self.game = None
        self.history = []  # the events that everybody was sent since "start"
        self.connected = {}  # connection: player, or None for a spectator
        self.players = {}  # player: connection
        self.join_key = secrets.token_urlsafe(12)
        self.rejoin_key = None  # the first player's, who may not know the extension
        self.watch_key = secrets.token_urlsafe(12)
        self.invite = None  # a short join key, until the second player comes
        self.wins = {PLAYER1: 0, PLAYER2: 0}
        self.presence_timer = None  # runs when presence was looked at a moment ago


class Refused(ValueError):
    """An event that can't be accepted. Its text is a sentence for the sender."""


# The same few come again and again. Not to decode them makes a move 5 % cheaper.
@functools.lru_cache(maxsize=100)
def parse(message):
    """
    Return the event, a dict with a ``type``, that a message holds.

    Raise :exc:`Refused` if it holds none, whatever it is.

    """
    if not isinstance(message, str):
        raise Refused("An event is text, not bytes.")
    try:
        event = json.loads(message)
    # Python counts recursion to find out that a message is nested too deeply.
    except (ValueError, RecursionError):
        raise Refused("An event is a JSON object, and this isn't JSON.") from None
    if not isinstance(event, dict) or "type" not in event:
        raise Refused('An event is a JSON object with a "type".')
    return event


# Most functions from here to leave() are no coroutines: what one client causes
# is sent to all before anything else happens, and a newcomer is registered and
# sent the past in one go. So no move can be missed, doubled or overtaken.


@functools.lru_cache(maxsize=1000)
def encode(**event):
    """Return the frame (RFC 6455, section 5.2) that holds an event."""
    message = json.dumps(event).encode()
    return Frame(Opcode.TEXT, message).serialize(mask=False)


def broadcast(connections, *events):
    """Send events, at once, to those of the connections whose clients know them."""
    base = extended = b""
    for event in events:
        # Keys aren't sent again and again, and a cache can't look up a dict.
        once = event["type"] in ("init", "start")
        frame = encode.__wrapped__(**event) if once else encode(**event)
        extended += frame
        if event["type"] in BASE_EVENTS:
            base += frame
    # The library's broadcast() makes a frame for each connection: 15 % more. Like it,
    # this raises nothing about a client that leaves: what it sent before still counts.
    for websocket in connections:
        if websocket.state is State.OPEN:
            websocket.transport.write(extended if websocket.subprotocol else base)


async def answer(websocket, event):
    """Send an event to one client, in answer to one of its own."""
    broadcast([websocket], event)
    # Yield, so that one client can't starve the others.
    await asyncio.sleep(0)


async def error(websocket, message, **details):
    """Tell one client what was wrong, in a sentence."""
    await answer(websocket, {"type": "error", "message": message, **details})


def announce(match, event):
    """Send an event to all who are here, and keep it for those who come later."""
    match.history.append(event)
    broadcast(match.connected, event)


def begin(match, first):
    """Begin a game, in which ``first`` moves first, on an empty board."""
    match.game = Connect4(first)
    match.history.clear()
    event = {
        "type": "start",
        "player": first,
        "wins": dict(match.wins),
    }
    announce(match, event)


def seat(websocket, match, player):
    """Return the event that tells a player the keys."""
    event = {
        "type": "init",
        "join": match.join_key,
        "watch": match.watch_key,
    }
    if websocket.subprotocol:
        event |= {
            "player": player,
            "rejoin": match.rejoin_key if player == PLAYER1 else match.join_key,
            "invite": match.invite if player == PLAYER1 else None,
            "host": find_address(websocket.server),
        }
    return event


def presence(match):
    """Return the event that tells who is here."""
    return {
        "type": "presence",
        "players": tuple(filter(match.players.get, (PLAYER1, PLAYER2))),
        "spectators": len(match.connected) - len(match.players),
    }


def announce_presence(match, changed=True):
    """Tell who is here to all who know otherwise, once in ``PRESENCE_INTERVAL``."""

    def resume():
        match.presence_timer = None
        announce_presence(match, changed=False)

    if match.presence_timer is None:
        event = presence(match)
        pages = (other for other in match.connected if other.subprotocol)
        outdated = [page for page in pages if page.presence != event]
        for page in outdated:
            page.presence = event
        broadcast(outdated, event)
        if outdated or changed:
            loop = asyncio.get_running_loop()
            match.presence_timer = loop.call_later(PRESENCE_INTERVAL, resume)


def enter(websocket, match, player, *events):
    """Register a player, or a spectator if ``player`` is None; send them the past."""
    match.connected[websocket] = player
    if player is not None:
        match.players[player] = websocket
        if match in FORSAKEN:
            FORSAKEN.pop(match).cancel()
        if player == PLAYER2 and match.invite is not None:
            del JOIN[match.invite]
            match.invite = None
    # What the client was last told of who is here.
    websocket.presence = presence(match)
    broadcast([websocket], *events, *match.history, websocket.presence)
    announce_presence(match)


def leave(websocket, match):
    """Unregister a connection that has ended."""
    # It isn't here any more if it was dropped for a newcomer, or the match forgotten.
    if websocket in match.connected:
        player = match.connected.pop(websocket)
        if player is not None:
            del match.players[player]
            if not match.players:
                forsake(match)
        announce_presence(match)


def forsake(match):
    """Forget a match to which no player comes back in time."""
    if match.rejoin_key is None:
        # A client of the base protocol started it, and can't come back.
        forget(match)
    else:
        loop = asyncio.get_running_loop()
        FORSAKEN[match] = loop.call_later(GRACE_PERIOD, forget, match)
        if len(FORSAKEN) > MAX_FORSAKEN:
            forget(next(iter(FORSAKEN)))


def forget(match):
    """Forget a match, and close the connections of its spectators."""
    if match in FORSAKEN:
        FORSAKEN.pop(match).cancel()
    for key in (match.join_key, match.rejoin_key, match.invite):
        JOIN.pop(key, None)
    del WATCH[match.watch_key]
    event = {
        "type": "error",
        "message": "Both players have left, and the game is gone.",
    }
    broadcast(match.connected, event)
    # Together, as closing takes a while where a client has frozen.
    closing = (spectator.close() for spectator in match.connected)
    asyncio.gather(*closing, return_exceptions=True)
    match.connected.clear()


def play_move(match, player, column):
    """Play a move, or raise :exc:`~connect4.IllegalMove`."""
    row = match.game.play(player, column)

    # Send the move to everybody.
    event = {
        "type": "play",
        "player": player,
        "column": column,
        "row": row,
    }
    announce(match, event)

    # If the game is over, send how it ended.
    if match.game.winner is not None:
        match.wins[player] += 1
        announce(match, {"type": "win", "player": match.game.winner})
    elif match.game.drawn:
        announce(match, {"type": "draw"})


def ask_rematch(match, player):
    """Note that a player wants a rematch, or raise :exc:`Refused`."""
    event = {"type": "rematch", "player": player}
    if not match.game.over:
        raise Refused("The game isn't over yet.")
    if event in match.history:
        raise Refused("You have asked for a rematch already.")
    if DRAINING.is_set():
        raise Refused("This server begins no game any more.")
    announce(match, event)

    # If the other player has asked before, begin. Who moved second moves first.
    if match.history[-2]["type"] == "rematch":
        begin(match, PLAYER2 if match.game.first == PLAYER1 else PLAYER1)


async def play(websocket, match, player):
    """Receive and process the events of a player."""
    async for message in websocket:
        try:
            event = parse(message)
            if event["type"] == "play":
                play_move(match, player, event.get("column"))
            elif event["type"] == "rematch" and websocket.subprotocol:
                ask_rematch(match, player)
            elif event["type"] == "ping" and websocket.subprotocol:
                await answer(websocket, {"type": "pong"})
            else:
                raise Refused('A player sends "play"; in connect4.v2 also "rematch".')
        except (Refused, IllegalMove) as exc:
            await error(websocket, str(exc))


def new_code():
    """Return a code that isn't in use."""
    while True:
        code = "".join(secrets.choice(CODE_LETTERS) for _ in range(CODE_LENGTH))
        if code not in JOIN:
            return code


async def start(websocket):
    """Handle a connection from the first player: start a match."""
    if DRAINING.is_set():
        await error(websocket, "This server begins no game any more.")
        return

    # Create the match and the keys to it.
    match = Match()
    JOIN[match.join_key] = match, PLAYER2
    WATCH[match.watch_key] = match
    if websocket.subprotocol:
        match.rejoin_key = secrets.token_urlsafe(12)
        JOIN[match.rejoin_key] = match, PLAYER1
        match.invite = new_code()
        JOIN[match.invite] = match, PLAYER2
    begin(match, PLAYER1)

    # Send the keys to the first player, who hands them on to friends. Register
    # the first player, and receive their moves until they leave.
    enter(websocket, match, PLAYER1, seat(websocket, match, PLAYER1))
    try:
        await play(websocket, match, PLAYER1)
    finally:
        leave(websocket, match)


async def join(websocket, join_key):
    """Handle a connection from a player who takes a seat, or takes it again."""
    # A code may be typed in capitals.
    if len(join_key) == CODE_LENGTH:
        join_key = join_key.lower()

    # Find the seat, and see that nobody sits there.
    while True:
        if join_key not in JOIN:
            await error(websocket, "Game not found.")
            return
        match, player = JOIN[join_key]
        occupant = match.players.get(player)
        if occupant is None:
            break
        if await is_alive(occupant):
            details = {"watch": match.watch_key} if websocket.subprotocol else {}
            await error(websocket, "The game already has this player.", **details)
            return
        occupant.transport.abort()
        # A probe gives up control: look everything up again afterwards, unless
        # the seat is as it was.
        if match.connected.pop(occupant, None):
            break

    # Send the keys, for which the base protocol has no event here. Register the
    # player, and receive their moves until they leave.
    events = [seat(websocket, match, player)] if websocket.subprotocol else []
    enter(websocket, match, player, *events)
    try:
        await play(websocket, match, player)
    finally:
        leave(websocket, match)


async def is_alive(websocket):
    """Return whether a connection answers a ping within ``PROBE_TIMEOUT``."""
    try:
        async with asyncio.timeout(PROBE_TIMEOUT):
            await (await websocket.ping())
    except (TimeoutError, ConnectionClosed):
        return False
    return True


async def watch(websocket, watch_key):
    """Handle a connection from a spectator: watch a match."""
    # Find the match.
    if watch_key not in WATCH:
        await error(websocket, "Game not found.")
        return
    match = WATCH[watch_key]

    # Register the spectator, who is sent each move until they leave.
    enter(websocket, match, None)
    try:
        async for message in websocket:
            try:
                event = parse(message)
                if event["type"] != "ping" or not websocket.subprotocol:
                    raise Refused("You are watching; only players can play.")
                await answer(websocket, {"type": "pong"})
            except Refused as exc:
                await error(websocket, str(exc))
    finally:
        leave(websocket, match)


async def handler(websocket):
    """Handle a connection: find out who it is, and dispatch accordingly."""
    # Nobody needs what the handshake did any more. Its headers take 4 KiB.
    websocket.protocol.select_subprotocol = None
    websocket.request.headers.clear()
    websocket.response.headers.clear()
    # A connection that ends, whenever and however, is no error.
    with contextlib.suppress(ConnectionClosed):
        try:
            async with asyncio.timeout(INIT_TIMEOUT):
                event = parse(await websocket.recv())
            if event["type"] != "init":
                raise Refused('The first event is an "init" event.')
            keys = [event[name] for name in ("join", "watch") if name in event]
            if not all(isinstance(key, str) for key in keys):
                raise Refused("A key is a string.")
        except (Refused, TimeoutError) as exc:
            late = 'The first event, "init", did not come in time.'
            await error(websocket, str(exc) or late)
            await websocket.close(1008)
            return

        if "join" in event:
            # A player takes a seat.
            await join(websocket, event["join"])
        elif "watch" in event:
            # A spectator watches a match.
            await watch(websocket, event["watch"])
        else:
            # The first player starts a match.
            await start(websocket)


class Connection(ServerConnection):
    """A connection whose client can neither hold up the others nor fill memory."""

    def connection_made(self, transport):
        """Read little at a time, so that many messages take many turns."""
        # By default asyncio reads up to 256 KiB, and 10,000 pings are answered
        # before anybody else is served. A browser's handshake takes one turn.
        # (Other event loops can't be told.)
        with contextlib.suppress(AttributeError):
            transport.max_size = 1024
        super().connection_made(transport)

    def connection_lost(self, exc):
        """Leave little to the collector: what is left of a connection has cycles."""
        super().connection_lost(exc)
        self.protocol.parser = self.protocol.parser_exc = self.connection_exc = None
        self.protocol.logger = self.logger = LOGGER

    def pause_writing(self):
        """Drop the client: more than ``write_limit`` bytes are unsent."""
        super().pause_writing()
        self.transport.abort()


def serve_games(host, port):
    """Return the WebSocket server, to be used as :func:`serve` is."""
    return serve(
        handler,
        host,
        port,
        create_connection=Connection,
        process_request=refuse_surplus,
        # Subprotocols that the server doesn't know are no reason to refuse.
        select_subprotocol=lambda _, offered: (
            EXTENSION if EXTENSION in offered else None
        ),
        # Messages are 60 bytes long. Compressing them costs more than it saves.
        compression=None,
        max_size=1024,
        write_limit=64 * 1024,
        # A player whose network is gone is noticed within 18 seconds.
        ping_interval=10,
        ping_timeout=7,
        close_timeout=1,
        logger=LOGGER,
    )


def find_address(server):
    """
    Return the address at which other machines on the network reach ``server``.

    Return :obj:`None` if there is none, or if the server is stopping.

    """
    if not server.sockets:
        return None
    address = server.sockets[0].getsockname()[0]
    if ipaddress.ip_address(address).is_loopback:
        return None
    if not ipaddress.ip_address(address).is_unspecified:
        return address
    # Connecting a UDP socket sends nothing, but chooses the interface. These
    # addresses are reserved for documentation (RFC 5737, RFC 3849), so never on
    # this network.
    ipv4 = socket.AF_INET, ("198.51.100.1", 9)
    ipv6 = socket.AF_INET6, ("2001:db8::1", 9)
    for family, elsewhere in (ipv4, ipv6):
        with contextlib.suppress(OSError):
            with socket.socket(family, socket.SOCK_DGRAM) as udp:
                udp.connect(elsewhere)
                return udp.getsockname()[0]
    return None


def bracket(address):
    """Return an address as it stands in a URL (RFC 3986, section 3.2.2)."""
    return f"[{address}]" if ":" in address else address


def parse_arguments():
    """Return the ``port`` and ``bind`` of the command line, or exit with a message."""

    def port(text):
        if not 1 <= int(text) <= 65534:
            raise ValueError
        return int(text)

    parser = argparse.ArgumentParser(description="Play Connect Four on this network.")
    about_port = "page's port, 1 to 65534; WebSockets on the next (default: 8000)"
    parser.add_argument("port", nargs="?", type=port, default=8000, help=about_port)
    about_bind = "address to listen on (default: all interfaces)"
    parser.add_argument("-b", "--bind", metavar="ADDRESS", help=about_bind)
    return parser.parse_args()


@functools.lru_cache(maxsize=1)
def warn_of_waiting(minute):
    """Log that clients have to wait, unless that was logged in this minute."""
    LOGGER.warning("Too many connections: some have to wait. See ulimit -n.")


def handle_exception(loop, context):
    """Handle what asyncio could not: be brief about running out of file descriptors."""
    exc = context.get("exception")
    if isinstance(exc, OSError) and exc.errno in (errno.EMFILE, errno.ENFILE):
        # asyncio says so for each client that it cannot accept, and tries again.
        warn_of_waiting(loop.time() // 60)
    else:
        loop.default_exception_handler(context)


async def drain(stop):
    """Set ``stop`` when no game is left that isn't over."""
    await DRAINING.wait()
    # Nobody is in a hurry, and so nobody has to say when a game ends.
    while not all(match.game.over for match in WATCH.values()):
        await asyncio.sleep(1)
    stop.set()


async def main():
    """Serve the page and the games until the process is told to stop."""
    arguments = parse_arguments()
    host, port = arguments.bind, arguments.port  # no host: all interfaces
    loop = asyncio.get_running_loop()
    loop.set_exception_handler(handle_exception)
    gc.set_threshold(*GC_THRESHOLDS)
    # A warning for what is written to a connection that was just lost is noise.
    logging.getLogger("asyncio").setLevel(logging.ERROR)
    # Unlike loop.add_signal_handler(), this works on all systems.
    stop = asyncio.Event()
    signal.signal(signal.SIGTERM, lambda *_: loop.call_soon_threadsafe(stop.set))
    if hasattr(signal, "SIGUSR1"):
        begin = DRAINING.set
        signal.signal(signal.SIGUSR1, lambda *_: loop.call_soon_threadsafe(begin))
    draining = loop.create_task(drain(stop))

    # The page takes its own port plus one for the games' (see main.js).
    page, games = serve_page(host, port, DRAINING), serve_games(host, port + 1)
    for server, server_port in ((page, port), (games, port + 1)):
        try:
            await server
        except (socket.gaierror, UnicodeError):
            sys.exit(f"{host} is not an address of this machine.")
        except OSError as exc:
            if exc.errno == errno.EADDRINUSE:
                sys.exit(f"Port {server_port} is taken. Try another one: app.py PORT")
            sys.exit(f"Cannot listen on port {server_port}: {exc.strerror or exc}.")

    # An address of the network, if there is one, also works on this machine.
    address = find_address(games)
    if host is None or address is None:
        print(f"On this machine:    http://{bracket(host or 'localhost')}:{port}/\n")
    if address is not None:
        print(f"On this network:    http://{bracket(address)}:{port}/\n")
    print("Ctrl-C stops.", flush=True)

    try:
        await stop.wait()
    finally:
        draining.cancel()
        # It takes a moment. A second Ctrl-C would interrupt whatever runs by then.
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        page.close()
        games.close()
        # Whoever doesn't close in time is cut off when the event loop ends.
        closed = [loop.create_task(server.wait_closed()) for server in (page, games)]
        await asyncio.wait(closed, timeout=1.5)


if __name__ == "__main__":
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(main())
