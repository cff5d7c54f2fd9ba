"""Tests of the one port, over HTTP and over WebSocket, and of the command line."""

import asyncio
import contextlib
import functools
import gzip
import os
import re
import resource
import signal
import socket
import sys
import types

import pytest
import websockets.asyncio.server

import app
import serving
from helpers import (
    HALF,
    HERE,
    KEYS,
    TIMEOUT,
    V2,
    Client,
    Page,
    execute,
    free_port,
    has_ipv6,
    played,
    result,
    serve,
    stop,
)

# A whole handshake, but for the empty line.
HANDSHAKE = HALF + (
    b"Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
    b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
)


@pytest.fixture
async def page():
    server = await serve()
    yield Page(server.sockets[0].getsockname()[1])
    await stop(server)


# What is served

TYPES = {
    ".css": "text/css; charset=utf-8",
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}

FILES = {
    "/": HERE / "index.html",
    "/main.js": HERE / "main.js",
    "/connect4.js": HERE / "connect4.js",
    "/connect4.css": HERE / "connect4.css",
    **{f"/page/{file.name}": file for file in (HERE / "page").iterdir()},
}


async def test_files_of_the_page_are_served_with_their_types(page):
    assert "/page/game.js" in FILES
    for path, file in FILES.items():
        status, headers, body = await page.request(path)
        assert (status, body) == (200, file.read_bytes())
        assert headers["Content-Type"] == TYPES[file.suffix]
        assert headers["Content-Length"] == str(len(body))


async def test_text_that_is_not_ascii_is_served_as_utf_8(monkeypatch, tmp_path):
    (tmp_path / "page").mkdir()
    for name in (*serving.NAMES, "page/new.js"):
        (tmp_path / name).write_text(f"{name}: ● é ☃ 🟡\n", encoding="utf-8")
    monkeypatch.setattr(serving, "HERE", tmp_path)
    server = await serve()
    page = Page(server.sockets[0].getsockname()[1])
    for path in ("/main.js", "/page/new.js"):
        _, headers, body = await page.request(path)
        assert body.decode() == f"{path[1:]}: ● é ☃ 🟡\n"
        assert headers["Content-Length"] == str(len(body))
    await stop(server)


@pytest.mark.parametrize(
    "path",
    [
        *("/abc234", "/ABC234", "/aBc23z", "/000000", "/abc234?join=x&/app.py"),
        # What sentences, mail programs and people add.
        *("/abc234.", "/abc234)", "/abc234%20", "/abc234_", "/abc234%22%3E,"),
        *("/abc234%E2%80%A6", "/abc234%0D%0A", "/abc234%F0%9F%99%82", "/abc234%FF"),
    ],
)
async def test_short_link_to_a_match_leads_to_the_page(page, path):
    answer = await page.request(path)
    assert (answer.status, answer.body) == (200, FILES["/"].read_bytes())
    assert answer.headers["Content-Type"] == TYPES[".html"]


async def test_query_is_ignored(page):
    for path, file in FILES.items():
        for query in ("?", "?join=a", "?watch=b&x=/../app.py", "??", "?%00"):
            assert (await page.request(path + query)).body == file.read_bytes()
    assert (await page.request("/app.py?/main.js")).status == 404


async def test_file_is_compressed_for_those_who_accept_it(page):
    for accepted in ("gzip, deflate, br", "br;q=1.0,gzip;q=0.8"):
        headers = ["Host: 127.0.0.1:8000", f"Accept-Encoding: {accepted}"]
        for path in ("/", "/connect4.css"):
            answer = await page.request(path, headers=headers)
            plain = await page.request(path)
            assert answer.headers["Content-Encoding"] == "gzip"
            assert answer.headers["Content-Length"] == str(len(answer.body))
            assert gzip.decompress(answer.body) == plain.body
            assert answer.headers["Vary"] == plain.headers["Vary"] == "Accept-Encoding"
    answer = await page.request("/nothing", headers=headers)
    assert "Content-Encoding" not in answer.headers


async def test_head_gets_the_headers_and_no_body(page):
    for path in ("/", "/main.js", "/abc234", "/nothing"):
        get = await page.request(path)
        head = await page.request(path, method="HEAD")
        for headers in (get.headers, head.headers):
            del headers["Date"]
        assert head == (get.status, get.headers, b"")


# What is not served


@pytest.mark.parametrize(
    "path",
    [
        *("/app.py", "/README.md", "/.git/config", "/tests/conftest.py", "/index.html"),
        *("/../../etc/passwd", "/page/../app.py", "/%2e%2e/app.py", "/page%2f../x.js"),
        *("//main.js", "/main.js/", "\\main.js", "/MAIN.JS", "/main.js%00", "/page/"),
        *("", "*", "main.js", "http://127.0.0.1/main.js", "/%252e%252e/app.py"),
        # No code, or more than a code.
        *("/abc23", "/abc2345", "/abc23.", "/abc.234", "/abc234.js", "/abc234/"),
        *("/abc234%2F", "/abc234%C3%A9", "/abc234%D9%A3", "/%C3%A9bc234", "/x/abc234"),
    ],
)
async def test_anything_else_is_answered_in_words_with_a_link(page, path):
    status, headers, body = await page.request(path)
    assert (status, headers["Content-Type"]) == (404, TYPES[".html"])
    assert b"There is nothing here." in body
    assert re.findall(rb'<a href="(.*?)">', body) == [b"/"]


async def test_other_methods_are_not_allowed(page):
    for method in ("POST", "OPTIONS", "get"):
        for path in ("/", "/nothing"):
            answer = await page.request(path, method=method)
            assert (answer.status, answer.headers["Allow"]) == (405, "GET, HEAD")


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
    upgrade = "Host: x", "Upgrade: websocket"  # without a key
    refused = *upgrade, "Origin: http://evil.example"
    requests = [
        (200, "GET", "/", ()),
        (404, "HEAD", "/nothing", ()),
        (405, "POST", "/main.js", ()),
        (426, "GET", "/", upgrade),
        (403, "GET", "/", refused),
    ]
    for expected, method, path, lines in requests:
        status, headers, _ = await page.request(path, method=method, headers=lines)
        assert status == expected
        assert headers["Cache-Control"] == "no-cache"
        assert headers["Referrer-Policy"] == "no-referrer"
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert {*headers["Content-Security-Policy"].split("; ")} == policy
        assert "Server" not in headers


# Bytes that are no request, and the status of the answer. The library gives it
# before it asks anybody, so that these carry no headers that protect. What it can't
# parse it doesn't answer at all.
NOT_EVEN_A_REQUEST = {
    "very long path": (b"GET /" + b"x" * 9000 + b" HTTP/1.1\r\n\r\n", 414),
    "very long header": (b"GET / HTTP/1.1\r\nX: " + b"x" * 9000 + b"\r\n\r\n", 431),
    "too many headers": (b"GET / HTTP/1.1\r\n" + b"X: x\r\n" * 129 + b"\r\n", 431),
    "space in the path": (b"GET /app.py main.js HTTP/1.1\r\n\r\n", None),
    "not ASCII": ("GET /é HTTP/1.1\r\n\r\n".encode(), None),
    "TLS": (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n", None),
    "chunks": (b"GET / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n", None),
    "body": (b"POST / HTTP/1.1\r\nContent-Length: 5\r\n\r\n", None),
    "other lines": (b"GET / HTTP/1.1\n\n", None),
}


@pytest.mark.parametrize(
    ("data", "status"), NOT_EVEN_A_REQUEST.values(), ids=NOT_EVEN_A_REQUEST
)
async def test_what_is_no_request_ends_the_connection(page, data, status):
    answer = await page.exchange(data)
    expected = rb"HTTP/1.1 %d " % status if status else b"$"
    assert re.match(expected, answer)
    assert b"Server" not in answer
    assert (await page.request("/")).status == 200


async def test_request_that_breaks_off_closes_the_connection(page):
    request = HALF + b"\r\n"
    for length in range(0, len(request), 9):
        assert b" 200 " not in await page.exchange(request[:length], end=True)
    assert (await page.request("/")).status == 200


async def test_half_a_request_closes_the_connection_in_the_end(monkeypatch):
    # Ten seconds are too long for a test.
    hasty = functools.partial(websockets.asyncio.server.serve, open_timeout=0.05)
    monkeypatch.setattr(serving, "serve", hasty)
    server = await serve()
    page = Page(server.sockets[0].getsockname()[1])
    for data in (b"", b"GET", HALF):
        assert await page.exchange(data) == b""
    await stop(server)


async def test_file_arrives_as_a_whole_however_slow_the_network_is():
    server = await serve()
    loop = asyncio.get_running_loop()
    async with asyncio.timeout(TIMEOUT):
        with socket.socket() as slow:
            slow.setblocking(False)
            slow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
            # Segments as on a real network. Where they are longer, as on loopback, the
            # system takes more at once.
            slow.setsockopt(socket.IPPROTO_TCP, socket.TCP_MAXSEG, 1460)
            await loop.sock_connect(slow, server.sockets[0].getsockname())
            await loop.sock_sendall(slow, b"GET /connect4.css HTTP/1.1\r\n\r\n")
            data = await loop.sock_recv(slow, 1)
            # The server doesn't wait for the end.
            await asyncio.wait(set(server.handler_tasks))
            while part := await loop.sock_recv(slow, 65536):
                data += part
    assert data.endswith((HERE / "connect4.css").read_bytes())
    await stop(server)


# Requests that are too long


def long_request(length):
    """Return a request of so many bytes, none of whose lines is long."""
    data = b"GET / HTTP/1.1\r\n"
    while length - len(data) > 500:
        data += b"X: " + b"x" * 200 + b"\r\n"
    return data + b"X: " + b"x" * (length - len(data) - 7) + b"\r\n\r\n"


async def test_request_may_be_16_kib_long_and_no_longer(page):
    longest = long_request(16 * 1024)
    assert b"200 OK" in await page.exchange(longest)
    # Of one that is longer, it isn't waited for the end.
    for too_long in (long_request(16 * 1024 + 1), long_request(16 * 1024 + 5)[:-2]):
        with contextlib.suppress(ConnectionError):
            assert await page.exchange(too_long) == b""


async def test_400_half_requests_do_not_fill_the_memory(launch):
    program = await launch()
    before = memory(program)
    half = b"GET / HTTP/1.1\r\n" + (b"X: " + b"x" * 8000 + b"\r\n") * 127
    for _ in range(4):
        requests = [program.page.exchange(half) for _ in range(100)]
        # They are dropped before they have sent all of it.
        for answer in await asyncio.gather(*requests, return_exceptions=True):
            assert answer == b"" or isinstance(answer, ConnectionError)
    # A batch of them would take 100 MiB.
    assert memory(program) - before < 64
    await program.stop()


def memory(program):
    """Return the memory of the program at its worst, in MiB."""
    with open(f"/proc/{program.process.pid}/status") as status:
        return int(re.search(r"VmHWM:\s+(\d+) kB", status.read())[1]) / 1024


# What follows a request


INIT = b"\x81\x90" + bytes(4) + b'{"type": "init"}'

# Pieces that come one after the other.
TOO_MUCH = {
    "bytes": [b"GET / HTTP/1.1\r\n\r\n" + bytes(2000)],
    "much": [b"GET / HTTP/1.1\r\n\r\n" + bytes(200_000)],
    "requests": [b"GET /main.js HTTP/1.1\r\nHost: x\r\n\r\n" * 20],
    "event": [HANDSHAKE + b"\r\n" + INIT],
    "no frame": [HANDSHAKE + b"\r\n" + bytes(2000)],
    "end in two pieces": [HANDSHAKE, b"\r\n" + INIT],
    "line in two pieces": [HANDSHAKE + b"\r", b"\n" + INIT],
    "many pieces": [HANDSHAKE[:9], HANDSHAKE[9:-1], b"\n", b"\r\n" + bytes(2000)],
}


@pytest.mark.parametrize("pieces", TOO_MUCH.values(), ids=TOO_MUCH)
async def test_who_sends_more_than_a_request_is_dropped(page, pieces):
    reader, writer = await asyncio.open_connection(page.host, page.port)
    for piece in pieces:
        writer.write(piece)
        # The server has received the piece when it answers somebody else.
        assert (await page.request("/")).status == 200
    async with asyncio.timeout(TIMEOUT):
        with contextlib.suppress(ConnectionError):
            assert await reader.read() == b""
    writer.close()


@pytest.mark.parametrize(
    "request_",
    [b"GET / HTTP/1.1\r\n\r\n", HANDSHAKE + b"\r\n"],
    ids=["GET", "WebSocket"],
)
async def test_who_does_not_wait_for_the_answer_causes_no_traceback(page, request_):
    loop = asyncio.get_running_loop()
    bell, ringer = socket.socketpair()
    with bell, ringer, socket.create_connection((page.host, page.port)) as sock:
        await page.request("/")

        def hurry():
            bell.recv(1)
            sock.sendall(bytes(2000))

        # In one turn of the event loop, the server reads the request, and more is
        # sent. In the next it isn't answered yet.
        loop.add_reader(bell, hurry)
        sock.sendall(request_)
        ringer.send(b"x")
        assert (await page.request("/")).status == 200
        loop.remove_reader(bell)


# Handshakes


async def shake_hands(page, *headers):
    """Send a handshake, and return all that is answered to it before events."""
    reader, writer = await asyncio.open_connection(page.host, page.port)
    lines = HANDSHAKE.replace(b"Host: 127.0.0.1\r\n", b"")
    lines += "".join(f"{header}\r\n" for header in headers).encode()
    writer.write(lines + b"\r\n")
    async with asyncio.timeout(TIMEOUT):
        answer = await reader.readuntil(b"\r\n\r\n")
        if b" 101 " not in answer:
            answer += await reader.read()
    writer.close()
    return answer.decode()


HOST = "Host: games.example:8000"
OWN = {
    "no page": [HOST],
    "the page": [HOST, "Origin: http://games.example:8000"],
    "other port": [HOST, "Origin: http://games.example"],
    "TLS": [HOST, "Origin: https://games.example"],
    "capitals": [HOST, "Origin: http://Games.Example:8000"],
    "IPv6": ["Host: [2001:db8::1]:8000", "Origin: http://[2001:db8::1]:8000"],
    "proxy": ["Host: 127.0.0.1", "X-Forwarded-Host: x.example", "Origin: https://x.example"],
    "proxies": ["Host: y", "X-Forwarded-Host: x.example, z", "Origin: https://x.example"],
    "proxies that add": [HOST, "X-Forwarded-Host: y", "X-Forwarded-Host: x", "Origin: http://x"],
}  # fmt: skip
FOREIGN = {
    "other": [HOST, "Origin: http://evil.example:8000"],
    "other name": [HOST, "Origin: http://games.example.evil.example"],
    "user": [HOST, "Origin: http://games.example:8000@evil.example"],
    "part of the name": [HOST, "Origin: http://example"],
    "null": [HOST, "Origin: null"],
    "empty": [HOST, "Origin:"],
    "garbage": [HOST, "Origin: http://[games.example"],
    "no host in either": ["Host:", "Origin: null"],
    "file": [HOST, "Origin: file://"],
    "IPv6": ["Host: [2001:db8::1]:8000", "Origin: http://[2001:db8::2]:8000"],
    "two": [HOST, "Origin: http://games.example", "Origin: http://evil.example"],
    "no Host": ["Origin: http://games.example"],
    "proxy": [HOST, "X-Forwarded-Host: x.example", "Origin: http://evil.example"],
    "no proxy's": [HOST, "X-Forwarded-For: x.example", "Origin: http://x.example"],
}


@pytest.mark.parametrize("headers", OWN.values(), ids=OWN)
async def test_own_page_and_clients_without_a_page_may_connect(page, headers):
    answer = await shake_hands(page, *headers)
    assert answer.startswith("HTTP/1.1 101 ")
    assert "Server:" not in answer


@pytest.mark.parametrize("headers", FOREIGN.values(), ids=FOREIGN)
async def test_other_pages_are_refused_in_words(page, headers):
    answer = await shake_hands(page, *headers)
    assert answer.startswith("HTTP/1.1 403 ")
    assert answer.endswith("\r\n\r\nOnly this server's own page may connect.\n")


async def test_nothing_of_a_handshake_is_kept(server):
    await server.connect("?join=secret", additional_headers={"Cookie": "x=y"})
    (connection,) = server.server.connections
    assert connection.request.path == ""
    assert dict(connection.request.headers) == {}


async def test_games_are_on_any_path_of_both_ports(launch):
    program = await launch()
    for path in ("", "1/", "page/game.js?join=x", "abc234", "nothing"):
        red = await program.connect(path)
        await red.send({"type": "init"})
        init = await red.receive()
        address = f"ws://127.0.0.1:{program.port + 1}/{path}"
        async with websockets.connect(address) as websocket:
            yellow = Client(websocket)
            await yellow.send({"type": "init", "join": init["join"]})
            await yellow.expect_nothing()
            await red.play(3)
            for player in (red, yellow):
                await player.expect(*played(3))
    await program.stop()


async def test_next_port_serves_the_page_too(launch):
    program = await launch()
    for path, file in FILES.items():
        answer = await Page(program.port + 1).request(path)
        assert (answer.status, answer.body) == (200, file.read_bytes())


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
    for origin in ("null", "http://y"):
        await shake_hands(page, "Host: y", f"Referer: {key}", f"Origin: {origin}")
    assert key not in log.getvalue()


# The command line

# Systems on which something is missing, or fails.
SYSTEM = """
import errno, os, runpy, signal, socket, sys
{}
sys.path.insert(0, os.getcwd())
sys.argv[0] = "app.py"
runpy.run_path("app.py", run_name="__main__")
"""

FORBIDDEN = SYSTEM.format("""
def fail(*_):
    raise OSError(errno.EACCES, os.strerror(errno.EACCES))
socket.socket.bind = fail
""")

# Another server is started at the same moment.
OVERTAKEN = SYSTEM.format("""
def fail(*_):
    raise OSError(errno.EADDRINUSE, os.strerror(errno.EADDRINUSE))
socket.socket.listen = fail
""")

# ipv6.disable=1 on the command line of Linux.
NO_IPV6 = SYSTEM.format("""
class Socket(socket.socket):
    def __init__(self, family=-1, *arguments, **options):
        if family == socket.AF_INET6:
            raise OSError(errno.EAFNOSUPPORT, "Address family not supported")
        super().__init__(family, *arguments, **options)
socket.socket = Socket
""")

WINDOWS = SYSTEM.format("""
del signal.SIGHUP
sys.modules["resource"] = sys.modules["fcntl"] = None
""")


async def run(*arguments, code=None):
    """Run the program, or some code that runs it, until it ends by itself."""
    command = ["app.py"] if code is None else ["-c", code]
    return await result(await execute(sys.executable, *command, *arguments))


def places(program):
    """Return the hosts that the program prints, and for whom they are."""
    pattern = rf"On this (machine|network):    http://(.*):{program.port}/.*\n\n"
    assert re.fullmatch(f"({pattern})+Ctrl-C stops.\n", program.text)
    # The best comes first.
    return dict(reversed(re.findall(pattern, program.text)))


async def test_program_prints_an_address_that_can_be_opened(launch):
    program = await launch()
    assert places(program) == {"machine": "127.0.0.1"}
    assert (await program.page.request("/")).status == 200
    # Nothing else is printed, from here to the end.
    await program.stop()


async def expect_all_interfaces(program):
    """Check that the program can be reached at every address of this machine."""
    hosts = places(program)
    assert hosts.pop("machine") == "localhost"
    network = [host.strip("[]") for host in hosts.values()]
    for host in ["127.0.0.1", *(["::1"] if has_ipv6() else []), *network]:
        for port in (program.port, program.port + 1):
            assert (await Page(port, host).request("/")).status == 200
    await program.stop()


async def test_program_listens_on_all_interfaces(launch):
    await expect_all_interfaces(await launch(bind=None))


@pytest.mark.parametrize("code", [NO_IPV6, WINDOWS], ids=["no IPv6", "Windows"])
async def test_program_runs_where_something_is_missing(launch, code):
    program = await launch(bind=None, command=(sys.executable, "-c", code))
    assert places(program)["machine"] == "localhost"
    await program.start()
    assert (await program.page.request("/")).status == 200
    await program.stop()


async def test_no_game_waits_until_the_system_has_told_its_addresses(launch, tmp_path):
    slow = tmp_path / "slow"
    code = WINDOWS.replace("runpy.run_path", f"""
def find(name):
    if os.path.exists({str(slow)!r}):
        open({str(slow)!r}).read()
    return name, [], ["192.0.2.1"]
socket.gethostbyname_ex = find
runpy.run_path""")  # fmt: skip
    program = await launch(bind=None, command=(sys.executable, "-c", code))
    os.mkfifo(slow)
    async with asyncio.timeout(TIMEOUT):
        # It can be opened when the program waits for it.
        with await asyncio.to_thread(open, slow, "w"):
            slow.unlink()
            red, init = await program.start()
            yellow = await program.join(init["join"])
            await red.play(3)
            await yellow.expect(*played(3))
    await program.stop()


async def test_program_binds_to_nothing_but_the_address_that_is_given(launch):
    if not has_ipv6():
        pytest.skip("this machine has no IPv6")
    program = await launch(bind="::1")
    assert places(program) == {"machine": "[::1]"}
    for port in (program.port, program.port + 1):
        assert (await Page(port, "::1").request("/")).status == 200
        with pytest.raises(ConnectionRefusedError):
            await Page(port).request("/")


async def test_default_is_port_8000_on_all_interfaces(monkeypatch):
    monkeypatch.setattr(sys, "argv", ["app.py"])
    assert vars(app.parse_arguments()) == {"port": 8000, "bind": None, "games": None}
    status, output, errors = await run("--help")
    assert (status, errors) == (0, "")
    assert "default: 8000" in output
    assert "default: games-PORT.sqlite3" in re.sub(r"-\s+", "-", output)


async def test_bad_arguments_are_answered_by_the_usage():
    bad_ports = ["0", "-1", "65535", "abc", "80.0", "9" * 5000]
    for arguments in (*bad_ports, "8000 8001", "8000 --bind", "8000 --games"):
        status, output, errors = await run(*arguments.split())
        assert (status, output) == (2, "")
        assert errors.startswith("usage: ")
        assert "Traceback" not in errors


async def expect_one_line(pattern, *arguments, code=None):
    """Run the program, and check that it ends with one line, and what it contains."""
    status, output, errors = await run(*arguments, "--games", ":memory:", code=code)
    assert (status, output) == (1, "")
    assert re.fullmatch(rf"[^\n]*{pattern}[^\n]*\n", errors, re.IGNORECASE)
    assert "None" not in errors


@pytest.mark.parametrize("bind", [["--bind", "127.0.0.1"], []], ids=["bind", "all"])
async def test_port_that_is_taken_is_named_in_one_line(bind):
    port = free_port()
    with socket.create_server(("127.0.0.1", port)):
        await expect_one_line(rf"\b{port}\b.*taken", port, *bind)


async def test_port_that_is_taken_at_the_same_moment_is_named_in_one_line():
    port = free_port()
    await expect_one_line(rf"\b{port}\b.*taken", port, code=OVERTAKEN)


@pytest.mark.parametrize("bind", ["127.0.0.1", None])
async def test_program_does_without_the_next_port_if_that_is_taken(launch, bind):
    port = free_port()
    with socket.create_server(("127.0.0.1", port + 1)):
        program = await launch(port=port, bind=bind)
        assert (await program.page.request("/")).status == 200
        red, init = await program.start()
        yellow = await program.join(init["join"])
        await red.play(3)
        await yellow.expect(*played(3))
        program.process.send_signal(signal.SIGTERM)
        status, _, errors = await result(program.process)
    assert status == 0
    assert re.fullmatch(rf"Doing without port {port + 1}: .*in use.*\n", errors)


async def test_port_that_is_forbidden_is_not_said_to_be_taken():
    pattern = r"\b1024\b.*permission denied"
    await expect_one_line(pattern, "1024", "--bind", "127.0.0.1", code=FORBIDDEN)


@pytest.mark.parametrize("address", ["198.51.100.1", "2001:db8::1"])
async def test_address_that_is_not_of_this_machine_is_told_in_one_line(address):
    port = free_port()
    await expect_one_line(rf"\b{port}\b", port, "--bind", address)


@pytest.mark.parametrize("name", ["nobody.invalid", "x" * 70, "a..b", "é\udc80"])
async def test_name_that_is_no_address_is_told_in_one_line(name):
    await expect_one_line("not an address", free_port(), "--bind", name)


# Open files


def limited(limit):
    """Return the command that starts the program with a limit of open files."""
    shell = f'ulimit {limit}; exec "$@"'
    return "sh", "-c", shell, "sh", sys.executable, "app.py"


async def test_soft_limit_of_open_files_is_raised(launch):
    program = await launch(command=limited("-Sn 64"))
    await asyncio.gather(*(program.start() for _ in range(100)))
    await program.stop()


def test_soft_limit_of_open_files_is_raised_where_none_is_too_much(monkeypatch):
    limits = []

    def set_limit(_, limit):
        if limit[0] == resource.RLIM_INFINITY:
            raise ValueError("current limit exceeds maximum limit")
        limits.append(limit)

    unlimited = resource.RLIM_INFINITY
    monkeypatch.setattr(resource, "getrlimit", lambda _: (256, unlimited))
    monkeypatch.setattr(resource, "setrlimit", set_limit)
    serving.raise_file_limit()
    assert limits == [(10_240, unlimited)]


async def test_too_many_connections_are_one_line_and_no_traceback(launch):
    program = await launch(command=limited("-n 64"))
    async with contextlib.AsyncExitStack() as crowd:
        for _ in range(100):
            await crowd.enter_async_context(program.page.half_open())
        async with asyncio.timeout(TIMEOUT):
            line = await program.process.stderr.readline()
        assert line == b"Too many connections: some have to wait. See ulimit -n.\n"
    await program.start(**V2)
    await program.stop()


async def test_stopping_is_quiet_while_there_are_too_many_connections(launch):
    program = await launch(command=limited("-n 64"))
    async with contextlib.AsyncExitStack() as crowd:
        for _ in range(100):
            await crowd.enter_async_context(program.page.half_open())
        async with asyncio.timeout(TIMEOUT):
            await program.process.stderr.readline()
        # Those who have to wait are looked at again a second later.
        await program.stop()


async def test_warning_that_comes_again_is_logged_once_a_minute(log, monkeypatch):
    for minute in (5, 5.5, 5.9, 6.1, 6.2):
        clock = types.SimpleNamespace(monotonic=lambda minute=minute: 60 * minute)
        monkeypatch.setattr(serving, "time", clock)
        serving.warn("the sky falls")
    assert log.getvalue().count("the sky falls") == 2


async def test_other_exceptions_are_logged_as_ever(log):
    serving.handle_exception(asyncio.get_running_loop(), {"message": "the sky falls"})
    assert "the sky falls" in log.getvalue()


# The end

SIGNALS = [signal.SIGINT, signal.SIGTERM, signal.SIGHUP]


@pytest.mark.parametrize("number", SIGNALS)
async def test_signal_ends_the_program_in_time_whatever_the_clients_do(launch, number):
    program = await launch()
    async with contextlib.AsyncExitStack() as half_open:
        for port in (program.port, program.port + 1):
            for data in (HALF, b""):
                await half_open.enter_async_context(Page(port).half_open(data))
        silent = await program.connect()
        idle, init = await program.start()
        stalled = await program.join(init["join"])
        spectator = await program.watch(init["watch"])
        # A match that waits for its player.
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


async def test_ctrl_c_again_and_again_ends_the_program_without_a_word(launch):
    for _ in range(3):
        program = await launch()
        await program.start(**V2)
        ended = asyncio.create_task(program.process.wait())
        while not ended.done():
            # Not send_signal(), which looks for the exit status before ours does.
            with contextlib.suppress(ProcessLookupError):
                os.kill(program.process.pid, signal.SIGINT)
            await asyncio.wait([ended], timeout=0.002)
        status, *words = await result(program.process)
        assert words == ["", ""]
        # In its last moments, Python itself has given up its signal handlers.
        assert status in (0, -signal.SIGINT)


async def test_background_job_of_a_shell_is_ended_by_sigterm(launch):
    # A shell has its background jobs ignore Ctrl-C.
    shell = ("sh", "-c", 'trap "" INT; exec "$@"', "sh")
    program = await launch(command=(*shell, sys.executable, "app.py"))
    client, _ = await program.start()
    program.process.send_signal(signal.SIGINT)
    await client.expect_nothing()
    await program.start()
    await program.stop()


async def test_nohup_lets_the_program_live_on(launch):
    program = await launch(command=("nohup", sys.executable, "app.py"))
    client, _ = await program.start()
    program.process.send_signal(signal.SIGHUP)
    await client.expect_nothing()
    await program.start()
    await program.stop()
