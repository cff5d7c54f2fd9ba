"""
The page, over HTTP: a few files, and no folder.

websockets answers plain HTTP requests as well as handshakes, so nothing else is
needed for a page of this size.

"""

import logging
import pathlib

from websockets.asyncio.server import ServerConnection, serve
from websockets.protocol import SEND_EOF

# At level DEBUG the library logs what is requested, and that includes keys. At
# level INFO it logs each connection, at a cost, though nobody reads it.
LOGGER = logging.getLogger("connect4.page")
LOGGER.setLevel(logging.WARNING)

HERE = pathlib.Path(__file__).parent

# What the page consists of. Nothing else in the folder can be had.
FILES = {
    "/": ("index.html", "text/html; charset=utf-8"),
    "/main.js": ("main.js", "text/javascript; charset=utf-8"),
    "/connect4.js": ("connect4.js", "text/javascript; charset=utf-8"),
    "/connection.js": ("connection.js", "text/javascript; charset=utf-8"),
    "/game.js": ("game.js", "text/javascript; charset=utf-8"),
    "/qrcode.js": ("qrcode.js", "text/javascript; charset=utf-8"),
    "/sound.js": ("sound.js", "text/javascript; charset=utf-8"),
    "/connect4.css": ("connect4.css", "text/css; charset=utf-8"),
    "/favicon.ico": ("favicon.svg", "image/svg+xml"),
    "/favicon.svg": ("favicon.svg", "image/svg+xml"),
}

# The page loads nothing but its own files, and so may connect to any WebSocket:
# its own is on another port, and in a policy "'self'" doesn't include that.
HEADERS = {
    "Cache-Control": "no-cache",
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; "
        "connect-src 'self' ws: wss:; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}


def refuse_surplus(connection, _):
    """Drop a client that sends more than its request before the answer."""
    # RFC 6455, section 4.1, forbids that. websockets (17.4) takes it for frames,
    # ends the connection, and then fails to answer the request, with a traceback.
    if connection.protocol.eof_sent:
        connection.transport.abort()
        return connection.wait_closed()
    return None


class PageConnection(ServerConnection):
    """A connection that is given an answer to whatever it requests."""

    def send_data(self):
        """Say what is wrong where websockets (17.4) would hang up in silence."""
        if self.request is None and self.protocol.writes == [SEND_EOF]:
            text = "This isn't a valid request, or it has a body.\n"
            self.protocol.writes.insert(0, self.respond(400, text).serialize())
        super().send_data()


def serve_page(host, port, draining):
    """
    Return the HTTP server of the page, to be used as :func:`serve` is.

    When the event ``draining`` is set, a proxy that looks for a server on which to
    start a game, with the query ``?new``, has to look for another.

    """
    # Read now, because later the disk could keep the games waiting.
    files = {
        path: ((HERE / name).read_text(encoding="utf-8"), content_type)
        for path, (name, content_type) in FILES.items()
    }

    def respond(connection, request):
        """Answer every request, so that the handshake never gets any further."""
        path, _, query = request.path.partition("?")
        if request.method not in ("GET", "HEAD"):
            response = connection.respond(405, "Only GET and HEAD are allowed.\n")
            response.headers["Allow"] = "GET, HEAD"
        elif query == "new" and draining.is_set():
            response = connection.respond(503, "This server begins no game any more.\n")
        elif path not in files:
            response = connection.respond(404, "There is nothing here.\n")
        else:
            text, content_type = files[path]
            response = connection.respond(200, text)
            # Setting a header adds it to those of the same name.
            del response.headers["Content-Type"]
            response.headers["Content-Type"] = content_type
        response.headers.update(HEADERS)
        if request.method == "HEAD":
            response.body = b""
        return refuse_surplus(connection, request) or response

    return serve(
        None,  # no connection gets as far as a handler
        host,
        port,
        create_connection=PageConnection,
        process_request=respond,
        close_timeout=1,
        logger=LOGGER,
    )
