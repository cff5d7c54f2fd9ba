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
import ipaddress
import json
import logging
import pathlib
import re
import secrets
import signal
import socket
import sys

from websockets.asyncio.server import ServerConnection, broadcast, serve
from websockets.exceptions import ConnectionClosed
from websockets.protocol import State

from connect4 import PLAYER1, PLAYER2, Connect4, IllegalMove

# How long a game waits for its players to come back, how long a connection may
# take to say who it is, and a player to give a sign of life; in seconds.
GRACE_PERIOD = 600
INIT_TIMEOUT = 10
PROBE_TIMEOUT = 2

# The games: a join key opens a seat at a match, a watch key lets one look on.
JOIN = {}  # key: (match, player)
WATCH = {}  # key: match

# The subprotocol of clients that want to know more than the tutorial's.
EXTENSION = "connect4.v2"

# At level DEBUG the library logs what it receives, and that includes keys.
LOGGER = logging.getLogger("connect4.server")
LOGGER.setLevel(logging.INFO)


class Match:
    """
    A game and its rematches, their keys, and everybody who is connected.

    ``connected`` maps each connection to the player who sits there, or to
    :obj:`None` for a spectator. It is the only record of who is here, so that
    moves go to its keys and a seat is free if its player is not a value.

    """

    def __init__(self):
        self.game = Connect4()
        self.connected = {}
        self.join_key = secrets.token_urlsafe(12)
        self.rejoin_key = None  # the first player's, if they know the extension
        self.watch_key = secrets.token_urlsafe(12)
        self.rematch = []  # the players who asked for one
        self.presence = None  # the last event that told who is here
        self.forgetting = None  # the task that forgets a match without players

    def seated(self, player):
        """Return the connection of ``player``, or :obj:`None`."""
        seats = self.connected.items()
        return next((websocket for websocket, seat in seats if seat == player), None)


class BadEvent(ValueError):
    """A message that is no event. Its text is a sentence for the sender."""


def parse(message):
    """
    Return the event, a dict with a ``type``, that a message holds.

    Raise :exc:`BadEvent` if it holds none, whatever it is.

    """
    if not isinstance(message, str):
        raise BadEvent("An event is text, not bytes.")
    try:
        event = json.loads(message)
    # Python counts recursion to find out that a message is nested too deeply.
    except (ValueError, RecursionError):
        raise BadEvent("An event is a JSON object, and this isn't JSON.") from None
    if not isinstance(event, dict) or "type" not in event:
        raise BadEvent('An event is a JSON object with a "type".')
    return event


def extended(connections):
    """Return those of ``connections`` that asked for the extension."""
    return [websocket for websocket in connections if websocket.subprotocol]


async def answer(websocket, event):
    """Send an event to one client only."""
    # Unlike send(), this doesn't raise when the client is leaving: what came
    # before it left still counts.
    broadcast([websocket], json.dumps(event))
    # Who floods the server waits in line for each answer like everybody else.
    await asyncio.sleep(0)


async def error(websocket, message, **details):
    """Tell one client what was wrong, in a sentence."""
    event = {
        "type": "error",
        "message": message,
        **details,
    }
    await answer(websocket, event)


# From here to leave() nothing is a coroutine: what one client causes is sent to
# all before anything else happens, and a newcomer is registered and told of the
# past in one go. So no move can be missed, doubled or overtaken by another.


def announce_start(connections, game):
    """Tell that the board is empty, and who moves first."""
    event = {
        "type": "start",
        "player": game.first,
    }
    broadcast(extended(connections), json.dumps(event))


@functools.cache
def play_message(player, column, row):
    """Return the message for a move. There are 84, so that each is made once."""
    event = {
        "type": "play",
        "player": player,
        "column": column,
        "row": row,
    }
    return json.dumps(event)


def announce_move(connections, move):
    """Tell that a move, ``(player, column, row)``, was played."""
    broadcast(connections, play_message(*move))


def announce_end(connections, game):
    """Tell how the game ended, if it did."""
    if game.winner is not None:
        event = {
            "type": "win",
            "player": game.winner,
        }
        broadcast(connections, json.dumps(event))
    elif game.drawn:
        event = {
            "type": "draw",
        }
        broadcast(extended(connections), json.dumps(event))


def announce_rematch(connections, player):
    """Tell that a player asked for another game."""
    event = {
        "type": "rematch",
        "player": player,
    }
    broadcast(extended(connections), json.dumps(event))


def announce_presence(match, newcomer=None):
    """Tell who is here: everybody if that has changed, else only a newcomer."""
    seats = list(match.connected.values())
    event = {
        "type": "presence",
        "players": [player for player in (PLAYER1, PLAYER2) if player in seats],
        "spectators": seats.count(None),
    }
    if event != match.presence:
        match.presence = event
        broadcast(extended(match.connected), json.dumps(event))
    elif newcomer is not None:
        broadcast(extended([newcomer]), json.dumps(event))


def announce_keys(websocket, match, player):
    """Hand a player the keys, and to a client of the extension what else it needs."""
    event = {
        "type": "init",
        "join": match.join_key,
        "watch": match.watch_key,
    }
    if websocket.subprotocol:
        event |= {
            "player": player,
            "rejoin": match.rejoin_key if player == PLAYER1 else match.join_key,
            "host": find_address(websocket.server),
        }
    broadcast([websocket], json.dumps(event))


def replay(websocket, match):
    """Bring a newcomer up to date."""
    announce_start([websocket], match.game)
    for move in match.game.moves:
        announce_move([websocket], move)
    announce_end([websocket], match.game)
    for player in match.rematch:
        announce_rematch([websocket], player)


def enter(websocket, match, player):
    """Register a newcomer: a player, or a spectator if ``player`` is None."""
    if player is not None and match.forgetting is not None:
        match.forgetting.cancel()
        match.forgetting = None
    match.connected[websocket] = player
    replay(websocket, match)
    announce_presence(match, websocket)


def leave(websocket, match):
    """Unregister a connection that has ended."""
    # It isn't here any more if it was dropped in favour of a newcomer.
    player = match.connected.pop(websocket, None)
    announce_presence(match)
    if player is not None and not any(match.connected.values()):
        match.forgetting = asyncio.create_task(forget(match))


async def forget(match):
    """Forget a match that no player comes back to in time."""
    await asyncio.sleep(GRACE_PERIOD if match.rejoin_key else 0)
    del JOIN[match.join_key], WATCH[match.watch_key]
    JOIN.pop(match.rejoin_key, None)
    spectators = list(match.connected)
    match.connected.clear()
    event = {
        "type": "error",
        "message": "Both players have left, and the game is gone.",
    }
    broadcast(spectators, json.dumps(event))
    await asyncio.gather(*(spectator.close() for spectator in spectators))


async def receive(websocket):
    """
    Yield the events that a client sends.

    Answer what needs no answer from the game: pings, and what is no event.

    """
    async for message in websocket:
        try:
            event = parse(message)
        except BadEvent as exc:
            await error(websocket, str(exc))
            continue
        if event["type"] == "ping" and websocket.subprotocol:
            await answer(websocket, {"type": "pong"})
        else:
            yield event


async def play(websocket, match, player):
    """Receive and process the events of a player."""
    async for event in receive(websocket):
        try:
            if event["type"] == "play":
                column = event.get("column")
                row = match.game.play(player, column)
                announce_move(match.connected, (player, column, row))
                announce_end(match.connected, match.game)
            elif event["type"] == "rematch" and websocket.subprotocol:
                ask_rematch(match, player)
            else:
                raise BadEvent('A player sends "play"; in connect4.v2 also "rematch".')
        except (BadEvent, IllegalMove) as exc:
            await error(websocket, str(exc))


def ask_rematch(match, player):
    """Note that a player wants a rematch, and begin it when both do."""
    if not match.game.over:
        raise BadEvent("The game isn't over yet.")
    if player in match.rematch:
        raise BadEvent("You have asked for a rematch already.")
    match.rematch.append(player)
    announce_rematch(match.connected, player)
    if len(match.rematch) == 2:
        match.rematch.clear()
        match.game = Connect4(PLAYER2 if match.game.first == PLAYER1 else PLAYER1)
        announce_start(match.connected, match.game)


async def start(websocket):
    """Handle a connection from the first player: start a match."""
    match = Match()
    JOIN[match.join_key] = match, PLAYER2
    WATCH[match.watch_key] = match
    if websocket.subprotocol:
        match.rejoin_key = secrets.token_urlsafe(12)
        JOIN[match.rejoin_key] = match, PLAYER1

    announce_keys(websocket, match, PLAYER1)
    enter(websocket, match, PLAYER1)
    try:
        await play(websocket, match, PLAYER1)
    finally:
        leave(websocket, match)


async def join(websocket, join_key):
    """Handle a connection from a player who takes a seat, or takes it again."""
    # While a seat is probed anything may happen, to the match as well.
    while True:
        if join_key not in JOIN:
            await error(websocket, "Game not found.")
            return
        match, player = JOIN[join_key]
        occupant = match.seated(player)
        if occupant is None:
            break
        if await is_alive(occupant):
            details = {"watch": match.watch_key} if websocket.subprotocol else {}
            await error(websocket, "The game already has this player.", **details)
            return
        occupant.transport.abort()
        # Who has left meanwhile must not be seen to come.
        if websocket.state is not State.OPEN:
            return
        # If the occupant has left by now, or was dropped for somebody else, look
        # again: the seat may be taken, or the match forgotten.
        if match.connected.pop(occupant, None):
            break

    if websocket.subprotocol:
        announce_keys(websocket, match, player)
    enter(websocket, match, player)
    try:
        await play(websocket, match, player)
    finally:
        leave(websocket, match)


async def is_alive(websocket):
    """Tell whether a connection answers a ping within ``PROBE_TIMEOUT``."""
    try:
        async with asyncio.timeout(PROBE_TIMEOUT):
            await (await websocket.ping())
    except (TimeoutError, ConnectionClosed):
        return False
    return True


async def watch(websocket, watch_key):
    """Handle a connection from a spectator: watch a match."""
    if watch_key not in WATCH:
        await error(websocket, "Game not found.")
        return
    match = WATCH[watch_key]

    enter(websocket, match, None)
    try:
        async for _ in receive(websocket):
            await error(websocket, "You are watching; only players can play.")
    finally:
        leave(websocket, match)


async def handler(websocket):
    """Handle a connection: find out who it is, and dispatch accordingly."""
    # Nobody reads the headers of the handshake any more. They take 4 KiB.
    websocket.request.headers.clear()
    websocket.response.headers.clear()
    # A connection that ends, whenever and however, is no error.
    with contextlib.suppress(ConnectionClosed):
        try:
            async with asyncio.timeout(INIT_TIMEOUT):
                event = parse(await websocket.recv())
            if event["type"] != "init":
                raise BadEvent('The first event is an "init" event.')
            keys = [event[name] for name in ("join", "watch") if name in event]
            if not all(isinstance(key, str) for key in keys):
                raise BadEvent("A key is a string.")
        except TimeoutError:
            await error(websocket, 'The first event, "init", did not come in time.')
            await websocket.close(1008)
        except BadEvent as exc:
            await error(websocket, str(exc))
            await websocket.close(1008)
        else:
            if "join" in event:
                await join(websocket, event["join"])
            elif "watch" in event:
                await watch(websocket, event["watch"])
            else:
                await start(websocket)


class Connection(ServerConnection):
    """A connection whose client can neither hold up the others nor fill memory."""

    def connection_made(self, transport):
        """Read little at a time, so that many messages take many turns."""
        # By default asyncio reads up to 256 KiB, and 40,000 pings are answered
        # before anybody else is served. (Other event loops can't be told.)
        with contextlib.suppress(AttributeError):
            transport.max_size = 256
        super().connection_made(transport)

    def pause_writing(self):
        """Drop the client: more than ``write_limit`` bytes are unsent."""
        super().pause_writing()
        self.transport.abort()


def select_subprotocol(_, offered):
    """Choose the extension if it's offered; all others are welcome without it."""
    return EXTENSION if EXTENSION in offered else None


def serve_games(host, port):
    """Return the WebSocket server, to be used as :func:`serve` is."""
    return serve(
        handler,
        host,
        port,
        create_connection=Connection,
        select_subprotocol=select_subprotocol,
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


HERE = pathlib.Path(__file__).parent

# What the page consists of. Nothing else in the folder can be had.
FILES = {
    "/": ("index.html", "text/html; charset=utf-8"),
    "/main.js": ("main.js", "text/javascript; charset=utf-8"),
    "/connect4.js": ("connect4.js", "text/javascript; charset=utf-8"),
    "/connection.js": ("connection.js", "text/javascript; charset=utf-8"),
    "/game.js": ("game.js", "text/javascript; charset=utf-8"),
    "/connect4.css": ("connect4.css", "text/css; charset=utf-8"),
    "/favicon.ico": ("favicon.svg", "image/svg+xml"),
    "/favicon.svg": ("favicon.svg", "image/svg+xml"),
}


def content_security_policy(request):
    """
    Return what the page may load: its own files, and connect to its WebSocket.

    That is ``'self'`` behind a proxy, and else the port after the page's. An
    IPv6 address has no place in a policy (CSP Level 3, section 2.3.1).

    """
    sources = "'self'"
    # There should be one Host, but there may be none or many.
    for host in request.headers.get_all("Host")[:1]:
        name_and_port = r"([a-z0-9._-]+|\[[0-9a-f:.]+\])(?::([0-9]{1,5}))?"
        if found := re.fullmatch(name_and_port, host, re.IGNORECASE):
            name, port = found.groups(default="80")
            name = "*" if name.startswith("[") else name
            sources += f" ws://{name}:{int(port) + 1}"
    return (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; "
        f"connect-src {sources}; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    )


def serve_page(host, port):
    """Return the HTTP server of the page, to be used as :func:`serve` is."""
    # Read now, because later the disk could keep the games waiting.
    files = {
        path: ((HERE / name).read_text(encoding="utf-8"), content_type)
        for path, (name, content_type) in FILES.items()
    }

    def respond(connection, request):
        """Answer every request, so that the handshake never gets any further."""
        path = request.path.partition("?")[0]
        if request.method not in ("GET", "HEAD"):
            response = connection.respond(405, "Only GET and HEAD are allowed.\n")
            response.headers["Allow"] = "GET, HEAD"
        elif path not in files:
            response = connection.respond(404, "There is nothing here.\n")
        else:
            text, content_type = files[path]
            response = connection.respond(200, text)
            # Setting a header adds it to those of the same name.
            del response.headers["Content-Type"]
            response.headers["Content-Type"] = content_type
        response.headers["Cache-Control"] = "no-cache"
        response.headers["Content-Security-Policy"] = content_security_policy(request)
        response.headers["Referrer-Policy"] = "no-referrer"
        response.headers["X-Content-Type-Options"] = "nosniff"
        if request.method == "HEAD":
            response.body = b""
        return response

    return serve(
        handler, host, port, process_request=respond, close_timeout=1, logger=LOGGER
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
    # are addresses for documentation (RFC 5737, RFC 3849), far away for all.
    ipv4 = socket.AF_INET, ("198.51.100.1", 9)
    ipv6 = socket.AF_INET6, ("2001:db8::1", 9)
    for family, far_away in (ipv4, ipv6):
        with contextlib.suppress(OSError):
            with socket.socket(family, socket.SOCK_DGRAM) as udp:
                udp.connect(far_away)
                return udp.getsockname()[0]
    return None


def all_interfaces():
    """Return the addresses that stand for all interfaces: of IPv4, maybe of IPv6."""
    with contextlib.suppress(OSError):
        with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as udp:
            udp.bind(("::", 0))
        return ["0.0.0.0", "::"]
    return ["0.0.0.0"]


def parse_arguments():
    """Return the ``port`` and ``bind`` of the command line, or exit with a message."""

    def port(text):
        number = int(text)
        if not 1 <= number <= 65534:
            raise ValueError
        return number

    parser = argparse.ArgumentParser(description="Play Connect Four on this network.")
    parser.add_argument(
        "port",
        nargs="?",
        type=port,
        default=8000,
        help="port of the page, 1 to 65534; WebSockets are on the next (default: 8000)",
    )
    parser.add_argument(
        "-b",
        "--bind",
        metavar="ADDRESS",
        help="address to listen on (default: all interfaces)",
    )
    return parser.parse_args()


@functools.cache
def warn_once(message):
    """Log a warning, unless it was logged before."""
    LOGGER.warning(message)


def handle_exception(loop, context):
    """Handle what asyncio could not: be brief about running out of file descriptors."""
    exc = context.get("exception")
    if isinstance(exc, OSError) and exc.errno in (errno.EMFILE, errno.ENFILE):
        # asyncio says so for each client that it cannot accept, and tries again.
        warn_once("Too many connections: some have to wait. See ulimit -n.")
    else:
        loop.default_exception_handler(context)


async def main():
    """Serve the page and the games until the process is told to stop."""
    arguments = parse_arguments()
    host = arguments.bind or all_interfaces()
    port = arguments.port
    loop = asyncio.get_running_loop()
    loop.set_exception_handler(handle_exception)
    # A warning for what is written to a connection that was just lost is noise.
    logging.getLogger("asyncio").setLevel(logging.ERROR)
    # Unlike loop.add_signal_handler(), this works on all systems.
    stop = asyncio.Event()
    signal.signal(signal.SIGTERM, lambda *_: loop.call_soon_threadsafe(stop.set))

    servers = _, games = serve_page(host, port), serve_games(host, port + 1)
    for number, server in enumerate(servers, start=port):
        try:
            await server
        except (socket.gaierror, UnicodeError):
            sys.exit(f"{host} is not an address of this machine.")
        except OSError as exc:
            if exc.errno == errno.EADDRINUSE:
                sys.exit(f"Port {number} is taken. Try another one: app.py PORT")
            sys.exit(f"Cannot listen on port {number}: {exc.strerror or exc}.")

    address = find_address(games) or arguments.bind or "localhost"
    if ":" in address:
        address = f"[{address}]"
    print(f"Play at http://{address}:{port}/ (Ctrl-C stops)", flush=True)

    try:
        await stop.wait()
    finally:
        for server in servers:
            server.close()
        # Whoever doesn't close in time is cut off when the event loop ends.
        closed = [asyncio.create_task(server.wait_closed()) for server in servers]
        await asyncio.wait(closed, timeout=1.5)


if __name__ == "__main__":
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(main())
