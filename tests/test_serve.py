"""Tests of the page's HTTP server, and of the command line."""

import asyncio
import contextlib
import errno
import functools
import re
import signal
import socket
import sys

import pytest
from websockets.asyncio.client import connect
from websockets.asyncio.server import serve
from websockets.exceptions import InvalidStatus

import app
from helpers import (
    HALF,
    KEYS,
    TIMEOUT,
    V2,
    Page,
    execute,
    free_port,
    has_ipv6,
    played,
    result,
)
from page import FILES, HERE


@contextlib.asynccontextmanager
async def serving():
    """The page, live."""
    async with app.serve_page("127.0.0.1", 0, app.DRAINING) as server:
        yield Page(server.sockets[0].getsockname()[1])


@pytest.fixture
async def page():
    async with serving() as page:
        yield page


# What is served

TYPES = {
    "css": "text/css; charset=utf-8",
    "html": "text/html; charset=utf-8",
    "js": "text/javascript; charset=utf-8",
    "svg": "image/svg+xml",
}


def name_of(path):
    """Return the name of the file that a path stands for."""
    return {"/": "index.html", "/favicon.ico": "favicon.svg"}.get(path, path[1:])


@pytest.mark.parametrize("text", [None, "● é ☃ 🟡\n"], ids=["real", "not ASCII"])
async def test_file_is_served_with_its_type(monkeypatch, tmp_path, text):
    folder = HERE
    if text is not None:
        folder = tmp_path
        for name, _ in FILES.values():
            (folder / name).write_text(f"\n{name}: {text}", encoding="utf-8")
        monkeypatch.setattr("page.HERE", folder)
    async with serving() as page:
        for path in FILES:
            name = name_of(path)
            status, headers, body = await page.request(path)
            assert (status, body) == (200, (folder / name).read_bytes())
            assert headers["Content-Type"] == TYPES[name.rpartition(".")[2]]
            assert headers["Content-Length"] == str(len(body))


async def test_head_gets_the_headers_and_no_body(page):
    for path in (*FILES, "/nothing"):
        get = await page.request(path)
        head = await page.request(path, method="HEAD")
        for headers in (get.headers, head.headers):
            del headers["Date"]
        assert head == (get.status, get.headers, b"")


async def test_other_methods_are_not_allowed(page):
    for method in ("POST", "OPTIONS", "get"):
        answer = await page.request("/", method=method)
        assert answer.status == 405
        assert answer.headers["Allow"] == "GET, HEAD"


async def test_each_answer_carries_the_headers_that_protect(page):
    policy = {
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self'",
        "connect-src 'self' ws: wss:",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
    }
    for method, path in [("GET", "/"), ("HEAD", "/nothing"), ("POST", "/main.js")]:
        _, headers, _ = await page.request(path, method=method)
        assert headers["Cache-Control"] == "no-cache"
        assert headers["Referrer-Policy"] == "no-referrer"
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert {*headers["Content-Security-Policy"].split("; ")} == policy


# What is not served

NOT_SERVED = [
    *("/app.py", "/README.md", "/.git/config", "/tests/conftest.py", "/index.html"),
    *(
        "/../../etc/passwd",
        "/%2e%2e/app.py",
        "//main.js",
        "/main.js/",
        "\\main.js",
    ),
    *("", "*", "main.js", "/MAIN.JS", "/main.js%00", "http://127.0.0.1/main.js"),
]

# A request that isn't one, and the status of the answer.
NOT_EVEN_A_REQUEST = {
    "space in the path": (b"GET /app.py main.js HTTP/1.1\r\n\r\n", 400),
    "very long path": (b"GET /" + b"x" * 100_000 + b" HTTP/1.1\r\n\r\n", 414),
    "too many headers": (b"GET / HTTP/1.1\r\n" + b"X: x\r\n" * 1000 + b"\r\n", 431),
    "TLS": (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n", 400),
    "chunks": (
        b"GET / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        400,
    ),
    "body": (b"POST / HTTP/1.1\r\nContent-Length: 5\r\n\r\nhello", 400),
    "bytes after it": (b"GET / HTTP/1.1\r\n\r\n" + bytes(2000), 400),
}


async def test_nothing_else_is_served(page):
    for path in NOT_SERVED:
        answer = await page.request(path)
        assert (answer.status, answer.body) == (404, b"There is nothing here.\n")


@pytest.mark.parametrize(
    ("data", "status"), NOT_EVEN_A_REQUEST.values(), ids=NOT_EVEN_A_REQUEST
)
async def test_what_is_no_request_is_refused_in_words(page, data, status):
    head, _, body = (await page.exchange(data)).decode().partition("\r\n\r\n")
    assert head.startswith(f"HTTP/1.1 {status} ")
    assert len(body.split()) > 3
    assert (await page.request("/")).status == 200


async def test_request_that_breaks_off_closes_the_connection(page):
    request = HALF + b"\r\n"
    for length in range(0, len(request), 9):
        assert b" 200 " not in await page.exchange(request[:length], end=True)
    assert (await page.request("/")).status == 200


async def test_half_a_request_closes_the_connection_in_the_end(monkeypatch):
    hasty = functools.partial(serve, open_timeout=0.05)
    monkeypatch.setattr("page.serve", hasty)
    async with serving() as page:
        for data in (b"", b"GET", HALF):
            assert await page.exchange(data) == b""


async def test_handshake_does_not_open_a_websocket(page):
    for path, status in [("/", 200), ("/main.js", 200), ("/nothing", 404)]:
        for offered in (None, [app.EXTENSION]):
            with pytest.raises(InvalidStatus) as excinfo:
                await connect(f"ws://127.0.0.1:{page.port}{path}", subprotocols=offered)
            assert excinfo.value.response.status_code == status
    assert (app.JOIN, app.WATCH) == ({}, {})


# Keys in the query string


async def test_query_string_is_ignored(page):
    for path in FILES:
        for query in ("?", "?join=a", "?watch=b&x=/../app.py", "??", "?%00"):
            assert (await page.request(path + query)).status == 200
    assert (await page.request("/app.py?/main.js")).status == 404


async def test_keys_are_never_logged(page, log):
    key = "ThisKeyIsASecret"
    KEYS.add(key)
    for method in ("GET", "HEAD", "POST"):
        for path in ("/", "/nothing"):
            referer = f"Referer: http://127.0.0.1:8000/?join={key}"
            target = f"{path}?join={key}"
            answer = await page.request(target, method=method, headers=[referer])
            assert key not in str(answer)
    for rest in ("", " x HTTP/1.1\r\n\r\n", "\0\r\n\r\n", "x" * 9000, "é"):
        data = await page.exchange(f"GET /?join={key}{rest}".encode(), end=True)
        assert key.encode() not in data
    assert key not in log.getvalue()


# The command line

# Systems on which something fails.
SYSTEM = """
import asyncio, errno, os, runpy, socket

def fail(*_):
    raise {}

{} = fail
runpy.run_path("app.py", run_name="__main__")
"""
NO_NETWORK = SYSTEM.format("OSError(errno.ENETUNREACH, '')", "socket.socket.connect")
FORBIDDEN = SYSTEM.format(
    "OSError(errno.EACCES, os.strerror(errno.EACCES))", "socket.socket.bind"
)
WINDOWS = SYSTEM.format(
    "NotImplementedError", "asyncio.SelectorEventLoop.add_signal_handler"
)

# A system that was started with ipv6.disable=1.
NO_IPV6 = """
import errno, runpy, socket

class Socket(socket.socket):
    def __init__(self, family=-1, *arguments, **options):
        if family == socket.AF_INET6:
            raise OSError(errno.EAFNOSUPPORT, "Address family not supported")
        super().__init__(family, *arguments, **options)

socket.socket = Socket
runpy.run_path("app.py", run_name="__main__")
"""


async def run(*arguments, code=None):
    """Run the program, or some code that runs it, until it ends by itself."""
    command = ["app.py"] if code is None else ["-c", code]
    return await result(await execute(sys.executable, *command, *arguments))


def places(program):
    """Return the hosts that the program prints, and for whom they are."""
    pattern = rf"On this (machine|network):    http://(.*):{program.page.port}/\n\n"
    assert re.fullmatch(f"({pattern})+Ctrl-C stops.\n", program.text)
    return dict(re.findall(pattern, program.text))


async def test_program_prints_an_address_that_can_be_opened(launch):
    program = await launch()
    assert places(program) == {"machine": "127.0.0.1"}
    assert (await program.page.request("/")).status == 200
    # The game is played on the next port.
    red, init = await program.start()
    yellow = await program.join(init["join"])
    await red.play(3)
    for player in (red, yellow):
        await player.expect(*played(3))
    # Nothing else is printed, from here to the end.
    await program.stop()


async def test_program_listens_on_all_interfaces(launch):
    program = await launch(bind=None)
    for host in ["127.0.0.1", "::1"] if has_ipv6() else ["127.0.0.1"]:
        assert (await Page(program.page.port, host).request("/")).status == 200
        answer = await Page(program.port, host).exchange(HALF + b"\r\n")
        # A WebSocket server's, to half a handshake.
        assert answer.startswith(b"HTTP/1.1 4")
    hosts = places(program)
    assert hosts["machine"] == "localhost"
    host = hosts["network"].strip("[]")
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_DGRAM) as udp:
        udp.bind((host, 0))  # fails with the address of somebody else


async def test_program_listens_on_all_interfaces_where_ipv6_is_off(launch):
    program = await launch(bind=None, command=(sys.executable, "-c", NO_IPV6))
    assert (await program.page.request("/")).status == 200
    await program.stop()


async def test_address_is_localhost_where_there_is_no_network(launch):
    program = await launch(bind=None, command=(sys.executable, "-c", NO_NETWORK))
    assert places(program) == {"machine": "localhost"}
    await program.stop()


async def test_program_binds_to_nothing_but_the_address_that_is_given(launch):
    if not has_ipv6():
        pytest.skip("this machine has no IPv6")
    program = await launch(bind="::1")
    assert places(program) == {"machine": "[::1]"}
    assert (await Page(program.page.port, "::1").request("/")).status == 200
    for port in (program.page.port, program.port):
        with pytest.raises(ConnectionRefusedError):
            await Page(port).request("/")


async def test_default_is_port_8000_on_all_interfaces(monkeypatch):
    monkeypatch.setattr(sys, "argv", ["app.py"])
    assert vars(app.parse_arguments()) == {"port": 8000, "bind": None}
    status, output, errors = await run("--help")
    assert (status, errors) == (0, "")
    assert "default: 8000" in output


async def test_bad_arguments_are_answered_by_the_usage():
    bad_ports = ["0", "-1", "65535", "abc", "80.0", "9" * 5000]
    for arguments in (*bad_ports, "8000 8001", "8000 --bind"):
        status, output, errors = await run(*arguments.split())
        assert (status, output) == (2, "")
        assert errors.startswith("usage: ")
        assert "Traceback" not in errors


async def expect_one_line(pattern, *arguments, code=None):
    """Run the program, and check that it ends with one line, and what it contains."""
    status, output, errors = await run(*arguments, code=code)
    assert (status, output) == (1, "")
    assert re.fullmatch(rf"[^\n]*{pattern}[^\n]*\n", errors, re.IGNORECASE)
    assert "None" not in errors


@pytest.mark.parametrize("bind", [["--bind", "127.0.0.1"], []], ids=["bind", "all"])
@pytest.mark.parametrize("which", [0, 1], ids=["page", "WebSocket"])
async def test_port_that_is_taken_is_named_in_one_line(bind, which):
    port = free_port()
    with socket.create_server(("127.0.0.1", port + which)):
        await expect_one_line(rf"\b{port + which}\b.*taken", port, *bind)


async def test_port_that_is_forbidden_is_not_said_to_be_taken():
    pattern = r"\b1024\b.*permission denied"
    await expect_one_line(pattern, "1024", "--bind", "127.0.0.1", code=FORBIDDEN)


@pytest.mark.parametrize("address", ["198.51.100.1", "2001:db8::1"])
async def test_address_that_is_not_of_this_machine_is_told_in_one_line(address):
    port = free_port()
    await expect_one_line(rf"\b{port}\b", port, "--bind", address)


# The end

SIGNALS = [signal.SIGINT, signal.SIGTERM]


@pytest.mark.parametrize("number", SIGNALS)
async def test_signal_ends_the_program_in_time_whatever_the_clients_do(launch, number):
    program = await launch()
    async with contextlib.AsyncExitStack() as half_open:
        for port in (program.port, program.page.port):
            for data in (HALF, b""):
                context = program.page.half_open(port, data)
                await half_open.enter_async_context(context)
        silent = await program.connect()
        idle, init = await program.start()
        stalled = await program.join(init["join"])
        spectator = await program.watch(init["watch"])
        # A game that waits for its player.
        away, _ = await program.start(**V2)
        await away.close()
        for client in (stalled, spectator):
            await client.expect_nothing()
        stalled.websocket.transport.pause_reading()
        # For this one the program waits for a sign of life of the stalled one.
        newcomer = await program.join(init["join"])
        await program.page.request("/")
        await program.stop(number)
    stalled.websocket.transport.resume_reading()
    for client in (silent, idle, stalled, spectator, newcomer):
        await client.expect_close(1001)


async def test_bytes_after_a_request_are_no_traceback(launch):
    program = await launch()
    request = b"GET /main.js HTTP/1.1\r\nHost: x\r\n\r\n"
    key = b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
    upgrade = b"Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n" + key
    handshake = HALF + upgrade + b"\r\n"
    for page in (program.page, Page(program.port)):
        for data in (request + bytes(2000), request * 20, handshake + bytes(2000)):
            assert b"200 OK" not in await page.exchange(data)
        with contextlib.suppress(ConnectionError):
            await page.exchange(request + b"x" * 200_000)
    await program.stop()


async def test_second_ctrl_c_ends_the_program_without_a_word(launch):
    program = await launch()
    for _ in range(3):
        frozen, _ = await program.start(**V2)
        frozen.websocket.transport.pause_reading()
    leaver, _ = await program.start(**V2)
    await leaver.close()
    program.process.send_signal(signal.SIGINT)
    # The program has begun to stop when the page is closed.
    async with asyncio.timeout(TIMEOUT):
        with contextlib.suppress(ConnectionError):
            while True:
                _, writer = await asyncio.open_connection(
                    "127.0.0.1", program.page.port
                )
                writer.close()
    program.process.send_signal(signal.SIGINT)
    _, output, errors = await result(program.process)
    assert (output, errors) == ("", "")


async def test_too_many_connections_are_logged_once_a_minute(log):
    loop = asyncio.get_running_loop()
    full = {"exception": OSError(errno.EMFILE, "Too many open files")}
    app.warn_of_waiting.cache_clear()
    for minute in (5, 5, 5, 6, 6):
        app.warn_of_waiting(minute)
    assert log.getvalue().count("Too many connections") == 2
    app.handle_exception(loop, full)
    assert log.getvalue().count("Too many connections") == 3


async def test_other_exceptions_are_logged_as_ever(log):
    app.handle_exception(asyncio.get_running_loop(), {"message": "the sky falls"})
    assert "the sky falls" in log.getvalue()


async def test_background_job_of_a_shell_is_ended_by_sigterm(launch):
    # A shell has its background jobs ignore Ctrl-C.
    shell = ("sh", "-c", 'trap "" INT; exec "$@"', "sh")
    program = await launch(command=(*shell, sys.executable, "app.py"))
    client = await program.connect()
    program.process.send_signal(signal.SIGINT)
    await client.expect_nothing()
    await program.start()
    await program.stop()
    await client.expect_close(1001)


@pytest.mark.parametrize("number", SIGNALS)
async def test_event_loop_need_not_handle_signals(launch, number):
    program = await launch(command=(sys.executable, "-c", WINDOWS))
    client = await program.connect()
    await program.stop(number)
    await client.expect_close(1001)
