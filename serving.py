"""
One port for the page, over HTTP, and for the games, over WebSocket.

Here is what a server on a real network needs and a game doesn't: the files of the
page, who may connect, and limits for those who ask too much. The library answers
plain requests as well as handshakes, so nothing else is needed.

"""

import asyncio
import contextlib
import errno
import gzip
import logging
import pathlib
import re
import signal
import socket
import sys
import time
import urllib.parse

from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosed
from websockets.protocol import State

HERE = pathlib.Path(__file__).parent

# The subprotocol of clients that understand more than the tutorial's.
SUBPROTOCOL = "connect4.v2"

# How long a player may take to show that they still sit there, in seconds.
PROBE_TIMEOUT = 2

# How often people are asked whether they are here, and told who else is, in seconds.
PRESENCE_INTERVAL = 0.2

# How long a request may be, in bytes.
MAX_REQUEST = 16 * 1024

# The library logs what is requested and received, and that includes keys. Of what it
# says, only failures of this program are worth reading; warn() logs at their level.
LOGGER = logging.getLogger("connect4")
LOGGER.setLevel(logging.ERROR)

# The types of the page's files.
TYPES = {
    ".css": "text/css; charset=utf-8",
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}

# A host on a local network: an IP address, or a name without a dot or in ".local".
LOCAL_HOST = re.compile(r"[0-9.]+|.*:.*|[^.]+\.?|.+\.local\.?")

# The short link to a match: its code, and what gets into an address by accident.
CODE_PATH = re.compile(r"/[A-Za-z0-9]{6}(?:[^\w/]|_)*")

# The page loads nothing but its own files. (To older browsers, "'self'" doesn't
# include the WebSockets of the same address.)
HEADERS = {
    "Cache-Control": "no-cache",
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; "
        "connect-src 'self' ws: wss:; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "Referrer-Policy": "no-referrer",
    "Vary": "Accept-Encoding",
    "X-Content-Type-Options": "nosniff",
}


# Limits


class Connection(ServerConnection):
    """
    A connection whose client can neither hold up the others nor fill the memory.

    ``drop()`` ends it at once. ``is_local`` tells whether it's a page that was opened
    by an address of a local network. ``told`` is for what it was told last.

    """

    # As attributes, they would make the dict of each connection much larger.
    __slots__ = ("drop", "head", "is_local", "told")

    def connection_made(self, transport):
        super().connection_made(transport)
        self.drop = transport.abort
        self.head = b""

    def data_received(self, data):
        """Drop a client that sends too long a request, or more than that."""
        # RFC 6455, section 4.1, forbids to send anything before the answer has come.
        # websockets (17.4) takes it for frames, ends the connection, and fails to
        # answer then, with a traceback.
        if self.response is None:
            self.head += data
            surplus = self.head.partition(b"\r\n\r\n")[2]
            if len(self.head) > MAX_REQUEST or surplus:
                self.drop()
                return
        super().data_received(data)

    def pause_writing(self):
        """Drop a client that doesn't read: more than ``write_limit`` is unsent."""
        super().pause_writing()
        self.drop()


# The connections that are asked for a sign of life, and the tasks that do it. Whoever
# asks meanwhile, or until ``PRESENCE_INTERVAL`` after that, is told the same.
PROBES = {}


async def is_alive(websocket):
    """Return whether a connection answers a ping within ``PROBE_TIMEOUT``."""
    if websocket not in PROBES:
        PROBES[websocket] = asyncio.create_task(probe(websocket))
    # Who has answered may have left in the same moment. (In the reference of websockets
    # 17, State stands with the Sans-I/O layer.)
    return await PROBES[websocket] and websocket.state is State.OPEN


async def probe(websocket):
    """Ask a connection for a sign of life, and return whether it came in time."""
    try:
        pong = await websocket.ping()
        # When a busy server looks at the clock too late, the answer may be there.
        await asyncio.wait([pong], timeout=PROBE_TIMEOUT)
        return pong.done()
    except ConnectionClosed:
        return False
    finally:
        asyncio.get_running_loop().call_later(PRESENCE_INTERVAL, PROBES.pop, websocket)


# Requests


def host_names(headers, name):
    """Return the hosts of the addresses in a header, without their ports."""
    # It may come more than once, and proxies add to a list.
    addresses = ",".join(headers.get_all(name)).lower().split(",")
    hosts = [address.strip().split("://", 1)[-1] for address in addresses]
    return {re.sub(r":[0-9]*$", "", host) for host in hosts}


def is_own_origin(headers):
    """Return whether a handshake comes from the page of this server, or no page."""
    hosts = host_names(headers, "Host") | host_names(headers, "X-Forwarded-Host")
    return "Origin" not in headers or host_names(headers, "Origin") <= hosts - {""}


def has_local_host(headers):
    """Return whether the page was opened by an address of a local network."""
    if "Forwarded" in headers or "X-Forwarded-For" in headers:
        return False
    return all(LOCAL_HOST.fullmatch(host) for host in host_names(headers, "Host"))


# The page: these, and what stands in the folder page. Nothing else can be had. They are
# read at the start, because later the disk could keep the games waiting.
NAMES = "index.html", "main.js", "connect4.js", "connect4.css"
PAGE = [HERE / name for name in NAMES]
PAGE += [file for file in HERE.glob("page/*") if file.suffix in TYPES]
FILES = {}
for file in PAGE:
    content = file.read_bytes()
    # By gzip, a phone on a slow network sees the board in half the time.
    name = f"/{file.relative_to(HERE).as_posix()}"
    FILES[name] = content, gzip.compress(content), TYPES[file.suffix]
FILES["/"] = FILES.pop("/index.html")


async def listen(handler, host, port):
    """Take a port, at which nobody is accepted before ``start_serving()`` is called."""

    def respond(connection, request):
        """Answer a request for the page; let a handshake pass."""
        if request.method not in ("GET", "HEAD"):
            response = connection.respond(405, "Only GET and HEAD are allowed.\n")
            response.headers["Allow"] = "GET, HEAD"
            return response
        upgrades = ",".join(request.headers.get_all("Upgrade")).lower()
        if "websocket" in upgrades:
            if is_own_origin(request.headers):
                return None
            return connection.respond(403, "Only this server's own page may connect.\n")
        path = request.path.partition("?")[0]
        if CODE_PATH.fullmatch(urllib.parse.unquote(path)):
            path = "/"
        response = connection.respond(200 if path in FILES else 404, "")
        response.body, compressed, kind = FILES.get(path) or FILES["/page/404.html"]
        # To set a header adds it to those of the same name.
        del response.headers["Content-Type"], response.headers["Content-Length"]
        if "gzip" in ",".join(request.headers.get_all("Accept-Encoding")):
            response.body = compressed
            response.headers["Content-Encoding"] = "gzip"
        response.headers["Content-Type"] = kind
        response.headers["Content-Length"] = str(len(response.body))
        return response

    def complete(connection, request, response):
        """Add to an answer what each of them carries, or takes away."""
        if response.status_code != 101:
            response.headers.update(HEADERS)
        if request.method == "HEAD":
            response.body = b""

    def handle(connection):
        """Let the handler have a connection when its handshake is over."""
        request = connection.request
        connection.is_local = connection.subprotocol and has_local_host(request.headers)
        # Nobody needs what was said then any more, and it has keys in it.
        connection.head = b""
        request.path = ""
        request.headers.clear()
        connection.response.headers.clear()
        return handler(connection)

    server = await serve(
        handle,
        host,
        port,
        create_connection=Connection,
        process_request=respond,
        process_response=complete,
        server_header=None,
        # Subprotocols that the server doesn't know are no reason to refuse.
        select_subprotocol=lambda _, offered: (
            SUBPROTOCOL if SUBPROTOCOL in offered else None
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
        start_serving=False,
    )
    for sock in server.sockets:
        # The system keeps little until it's read: many messages come in many turns of
        # the event loop then, and others have theirs between.
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
        # It takes a file at once: where the network is slow, what isn't on its way when
        # ``close_timeout`` is over would be given up.
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 64 * 1024)
    return server


async def take_ports(handler, host, port):
    """Return the servers, which don't accept anybody yet, or exit with a message."""
    servers = []
    # Clients of the tutorial look for WebSockets at the next one.
    for number in (port, port + 1):
        try:
            servers.append(await listen(handler, host, number))
        except (OSError, UnicodeError) as exc:
            reason = getattr(exc, "strerror", None) or exc
            if getattr(exc, "errno", None) == errno.EADDRINUSE:
                reason = "it's taken"
            message = f"Cannot listen on port {number}: {reason}."
            if not servers:
                sys.exit(f"{message} Try another port, or another --bind.")
            print(f"{message} Only clients of the tutorial need it.", file=sys.stderr)
    return servers


# The process


def set_up_process(stop):
    """Let signals set the event ``stop``, and let nothing else end the server."""
    asyncio.get_running_loop().set_exception_handler(handle_exception)
    # A warning for what is written to a connection that was just lost is noise.
    logging.getLogger("asyncio").setLevel(logging.ERROR)
    raise_file_limit()

    for name in ("SIGINT", "SIGTERM", "SIGHUP"):
        number = getattr(signal, name, None)  # Windows has no SIGHUP.
        # nohup ignores SIGHUP, and so does a shell Ctrl-C for its background jobs.
        if number is not None and signal.getsignal(number) != signal.SIG_IGN:
            # Unlike loop.add_signal_handler(), this works on all systems. (It wakes up
            # nobody, but main() looks often.)
            signal.signal(number, lambda *_: stop.set())


def raise_file_limit():
    """Let the server have as many connections as the system allows a process."""
    try:
        import resource
    except ImportError:  # Windows has no such limit.
        return
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    # macOS says that there is none, and refuses more than 10,240: see its setrlimit(2).
    for limit in (10_240, hard):
        with contextlib.suppress(OSError, ValueError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (limit, hard))


WARNED = {}  # message: when it was logged last


def warn(message):
    """Log a warning, unless that was done less than a minute ago."""
    now = time.monotonic()
    if now - WARNED.get(message, -60) >= 60:
        WARNED[message] = now
        LOGGER.error(message)


def handle_exception(loop, context):
    """Handle what asyncio could not: be brief about running out of open files."""
    exc = context.get("exception")
    number = getattr(exc, "errno", None)
    if number in (errno.EMFILE, errno.ENFILE):
        # asyncio says so for each client that it can't accept, and tries again.
        warn("Too many connections: some have to wait. See ulimit -n.")
    # It does that even when the server has been closed meanwhile. And it fails to shut
    # down a connection that the client has just cut.
    elif number != errno.ENOTCONN and "Invalid file descriptor" not in str(exc):
        loop.default_exception_handler(context)
