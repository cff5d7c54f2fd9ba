"""Tests of the page's HTTP server, and of the command line."""

import asyncio
import contextlib
import functools
import os
import random
import re
import signal
import socket
import sys
import time
import typing

import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus

import app
from helpers import KEYS, TIMEOUT, Server, played

# A request that somebody begins and doesn't end.
HALF = b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\n"


class Answer(typing.NamedTuple):
    """What the page's server answered."""

    status: int
    headers: dict
    body: bytes

    @property
    def policy(self):
        """The Content-Security-Policy: for each directive, what it allows."""
        directives = self.headers["Content-Security-Policy"].split("; ")
        return dict(directive.split(" ", 1) for directive in directives)


class Page:
    """The page's server, seen by a client that can send anything."""

    def __init__(self, port, host="127.0.0.1"):
        self.port = port
        self.host = host

    async def exchange(self, data, end=False):
        """Send some bytes, maybe as the last ones, and return all that come back."""
        async with asyncio.timeout(TIMEOUT):
            reader, writer = await asyncio.open_connection(self.host, self.port)
            try:
                writer.write(data)
                if end:
                    writer.write_eof()
                return await reader.read()
            finally:
                writer.close()
                with contextlib.suppress(ConnectionError):
                    await writer.wait_closed()

    async def request(self, path, *, method="GET", headers=("Host: 127.0.0.1:8000",)):
        """Send a request, and return the answer, in which no header comes twice."""
        lines = [f"{method} {path} HTTP/1.1", *headers, "", ""]
        data = await self.exchange("\r\n".join(lines).encode("latin-1"))
        head, _, body = data.partition(b"\r\n\r\n")
        status, *lines = head.decode().split("\r\n")
        headers = dict(line.split(": ", 1) for line in lines)
        assert len(headers) == len(lines)
        return Answer(int(status.split()[1]), headers, body)

    @contextlib.asynccontextmanager
    async def half_open(self, port, data=HALF):
        """Begin a request, and leave it at that until the end of the block."""
        _, writer = await asyncio.open_connection(self.host, port)
        writer.write(data)
        try:
            await writer.drain()
            yield
        finally:
            writer.close()
            with contextlib.suppress(ConnectionError):
                await writer.wait_closed()


@pytest.fixture
async def page():
    """The page, live."""
    async with app.serve_page("127.0.0.1", 0) as server:
        yield Page(server.sockets[0].getsockname()[1])


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


@pytest.mark.parametrize("path", app.FILES)
async def test_file_is_served_with_its_type(page, path):
    name = name_of(path)
    status, headers, body = await page.request(path)
    assert status == 200
    assert headers["Content-Type"] == TYPES[name.rpartition(".")[2]]
    assert headers["Content-Length"] == str(len(body))
    assert body == (app.HERE / name).read_bytes()


async def test_characters_beyond_ascii_are_served_as_they_are(monkeypatch, tmp_path):
    for name, _ in app.FILES.values():
        (tmp_path / name).write_bytes(f"\n{name}: ● é ☃ 🟡\n".encode())
    monkeypatch.setattr(app, "HERE", tmp_path)
    async with app.serve_page("127.0.0.1", 0) as server:
        page = Page(server.sockets[0].getsockname()[1])
        for path in app.FILES:
            answer = await page.request(path)
            assert answer.body == (tmp_path / name_of(path)).read_bytes()
            assert answer.headers["Content-Length"] == str(len(answer.body))


@pytest.mark.parametrize("path", [*app.FILES, "/nothing"])
async def test_head_gets_the_headers_and_no_body(page, path):
    get = await page.request(path)
    head = await page.request(path, method="HEAD")
    for headers in (get.headers, head.headers):
        del headers["Date"]
    assert head == (get.status, get.headers, b"")


METHODS = ["POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "CONNECT", "get"]


@pytest.mark.parametrize("method", METHODS)
async def test_other_methods_are_not_allowed(page, method):
    for path in ("/", "/nothing"):
        answer = await page.request(path, method=method)
        assert answer.status == 405
        assert answer.headers["Allow"] == "GET, HEAD"


@pytest.mark.parametrize("method", ["GET", "HEAD", "POST"])
@pytest.mark.parametrize("path", ["/", "/main.js", "/nothing"])
async def test_each_answer_carries_the_headers_that_protect(page, method, path):
    _, headers, _ = await page.request(path, method=method)
    assert headers["Cache-Control"] == "no-cache"
    assert headers["Referrer-Policy"] == "no-referrer"
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Content-Security-Policy"].startswith("default-src 'none'; ")


# What is not served

NOT_SERVED = [
    # the rest of the folder
    "/app.py",
    "/connect4.py",
    "/index.html",
    "/README.md",
    "/pyproject.toml",
    "/.git/config",
    "/.gitignore",
    "/tests",
    "/tests/conftest.py",
    "/__pycache__/",
    # dots
    "/.",
    "/..",
    "/./main.js",
    "/main.js/.",
    "/main.js/..",
    "/x/../main.js",
    "/../app.py",
    "/../../../../etc/passwd",
    "/..../app.py",
    # slashes
    "//",
    "//main.js",
    "///etc/passwd",
    "/main.js/",
    "/main.js//",
    "/main.js/app.py",
    "\\main.js",
    "/\\main.js",
    "/..\\app.py",
    # encodings
    "/%6dain.js",
    "/main%2ejs",
    "/%2fmain.js",
    "/%2e",
    "/%2e%2e/app.py",
    "/..%2fapp.py",
    "/%2e%2e%2fapp.py",
    "/%252e%252e/app.py",
    "/%c0%ae%c0%ae/app.py",
    "/..%5capp.py",
    "/main.js%00",
    "/main.js%3fx",
    "/%s%n{0}",
    "/%",
    # what is no path, or not quite one of ours
    "",
    "?",
    "*",
    "main.js",
    "app.py",
    "/MAIN.JS",
    "/main.js#x",
    "/main.js;x",
    "/main.js&x",
    "/main.js\0",
    "/\0",
    "/app.py\0.js",
    "/main.js\t",
    "http://127.0.0.1/main.js",
    "http://127.0.0.1:8000/",
    "file:///etc/passwd",
    "/" + "main.js/" * 1000,
    "/" + "../" * 2000 + "etc/passwd",
]

NOT_EVEN_A_REQUEST = {
    "space in the path": b"GET /app.py main.js HTTP/1.1\r\n\r\n",
    "path that is not ASCII": "GET /é HTTP/1.1\r\n\r\n".encode(),
    "very long path": b"GET /" + b"x" * 100_000 + b" HTTP/1.1\r\n\r\n",
    "very long path without an end": b"GET /" + b"x" * 100_000,
    "very long header": b"GET / HTTP/1.1\r\nX: " + b"x" * 100_000 + b"\r\n\r\n",
    "too many headers": b"GET / HTTP/1.1\r\n" + b"X: x\r\n" * 1000 + b"\r\n",
    "header without a name": b"GET / HTTP/1.1\r\n: x\r\n\r\n",
    "header without a colon": b"GET / HTTP/1.1\r\nHost\r\n\r\n",
    "null byte in a header": b"GET / HTTP/1.1\r\nHost: a\0b\r\n\r\n",
    "return in a header": b"GET / HTTP/1.1\r\nHost: a\rX: b\r\n\r\n",
    "no protocol": b"GET /\r\n\r\n",
    "unknown protocol": b"GET / HTTP/0.9\r\n\r\n",
    "HTTP/2": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "TLS": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n",
    "lines that end in LF": b"GET / HTTP/1.1\n\n",
    "empty lines": b"\r\n\r\n\r\n",
    "null bytes": b"\0" * 100_000,
    "all the bytes there are": bytes(range(256)) * 100,
    "frame": b"\x81\x85\0\0\0\0hello\r\n",
    "chunks": b"GET / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "body": b"POST / HTTP/1.1\r\nContent-Length: 5\r\n\r\nhello",
    "bad length": b"GET / HTTP/1.1\r\nContent-Length: x\r\n\r\n",
}


@pytest.mark.parametrize("path", NOT_SERVED)
async def test_nothing_else_is_served(page, path):
    for method in ("GET", "HEAD"):
        answer = await page.request(path, method=method)
        if len(path) < 8000:
            assert answer.status == 404
            assert "import" not in answer.body.decode()
        else:
            assert answer.status in (404, 414)


@pytest.mark.parametrize("data", NOT_EVEN_A_REQUEST.values(), ids=NOT_EVEN_A_REQUEST)
async def test_what_is_no_request_closes_the_connection(page, data):
    answer = await page.exchange(data)
    assert answer == b"" or re.match(rb"HTTP/1.1 4\d\d ", answer)
    assert (await page.request("/")).status == 200


async def test_request_that_breaks_off_closes_the_connection(page):
    request = HALF + b"\r\n"
    for length in range(0, len(request), 5):
        assert await page.exchange(request[:length], end=True) == b""
    assert (await page.request("/")).status == 200


async def test_half_a_request_closes_the_connection_in_the_end(monkeypatch):
    hasty = functools.partial(app.serve, open_timeout=0.05)
    monkeypatch.setattr(app, "serve", hasty)
    async with app.serve_page("127.0.0.1", 0) as server:
        page = Page(server.sockets[0].getsockname()[1])
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
    for path in app.FILES:
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
    assert "HTTP response sent" in log.getvalue()
    assert key not in log.getvalue()


# What the page may load

POLICY = {
    "default-src": "'none'",
    "script-src": "'self'",
    "style-src": "'self'",
    "img-src": "'self'",
    "base-uri": "'none'",
    "form-action": "'none'",
    "frame-ancestors": "'none'",
}


@pytest.mark.parametrize(
    ("host", "source"),
    [
        ("127.0.0.1:8000", "ws://127.0.0.1:8001"),
        ("192.168.178.20:8000", "ws://192.168.178.20:8001"),
        ("localhost:8000", "ws://localhost:8001"),
        ("My-Computer.local:9999", "ws://My-Computer.local:10000"),
        ("my_computer:1", "ws://my_computer:2"),
        ("a.:65534", "ws://a.:65535"),
        # A browser leaves out the port of http, 80.
        ("localhost", "ws://localhost:81"),
        ("127.0.0.1", "ws://127.0.0.1:81"),
        # A policy cannot name an IPv6 address.
        ("[::1]:8000", "ws://*:8001"),
        ("[fe80::1]:8000", "ws://*:8001"),
        ("[::ffff:127.0.0.1]:8000", "ws://*:8001"),
        ("[::1]", "ws://*:81"),
    ],
)
async def test_page_may_load_its_files_and_connect_to_the_next_port(page, host, source):
    answer = await page.request("/", headers=[f"Host: {host}"])
    assert answer.policy == {**POLICY, "connect-src": f"'self' {source}"}


@pytest.mark.parametrize(
    "headers",
    [
        [],
        ["Host:"],
        ["Host: :8000"],
        ["Host: a:"],
        ["Host: a:b"],
        ["Host: a:-1"],
        ["Host: a:8000:8000"],
        ["Host: a:123456"],
        ["Host: a:" + "9" * 5000],
        ["Host: a:8\xb2"],
        ["Host: \xe9:8000"],
        ["Host: a;b"],
        ["Host: a;b:8000"],
        ["Host: a:8000; script-src *"],
        ["Host: a:8000 *"],
        ["Host: a:8000,ws://b:8000"],
        ["Host: a b:8000"],
        ["Host: a\tb:8000"],
        ["Host: a/b:8000"],
        ["Host: a@b:8000"],
        ["Host: ws://a:8000"],
        ["Host: *"],
        ["Host: *:8000"],
        ["Host: *.com:8000"],
        ["Host: 'unsafe-inline'"],
        ["Host: ::1"],
        ["Host: [::1"],
        ["Host: [::1]a:8000"],
        ["Host: [a;b]:8000"],
        ["Host: []"],
        ["Host: %s{0}:8000"],
        ["Host: a;b:8000", "Host: a:8000"],
    ],
)
async def test_host_that_is_none_opens_nothing(page, headers):
    answer = await page.request("/", headers=headers)
    assert answer.status == 200
    assert answer.policy == {**POLICY, "connect-src": "'self'"}


@pytest.mark.parametrize(
    "headers",
    [
        ["Host: a:8000", "Host: b:8000"],
        ["Host: a:8000", "Host: a:8000"],
        ["Host: a:8000", "Host: a;b:8000"],
        ["Host: a:00000"],
        ["Host: a:65535"],
        ["Host: a:65536"],
        ["Host: a:99999"],
    ],
)
async def test_odd_host_opens_no_more_than_one_port(page, headers):
    answer = await page.request("/", headers=headers)
    assert answer.status == 200
    source = answer.policy.pop("connect-src")
    assert re.fullmatch(r"'self'( ws://a:\d{1,6})?", source)
    assert {**answer.policy, "connect-src": None} == {**POLICY, "connect-src": None}


# The command line


class Program(Server):
    """The program in a process of its own, and the clients connected to it."""

    def __init__(self, process, page, line):
        super().__init__(server=None)
        self.process = process
        self.page = page
        self.line = line

    @property
    def port(self):
        return self.page.port + 1

    async def stop(self, number=signal.SIGTERM):
        """Stop the program by a signal, and check that it ends well and in time."""
        began = time.monotonic()
        self.process.send_signal(number)
        assert await result(self.process) == (0, "", "")
        assert time.monotonic() - began < 2


async def execute(*command):
    """Start a process, with the settings of Python that are everybody's."""
    pipe = asyncio.subprocess.PIPE
    env = {name: os.environ[name] for name in os.environ if name[:6] != "PYTHON"}
    return await asyncio.create_subprocess_exec(
        *map(str, command), cwd=app.HERE, env=env, stdout=pipe, stderr=pipe
    )


async def result(process):
    """Wait for a process; return its exit status, and what it wrote where."""
    try:
        async with asyncio.timeout(TIMEOUT):
            output, errors = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
    return process.returncode, output.decode(), errors.decode()


async def run(*arguments):
    """Run the program until it ends by itself."""
    return await result(await execute(sys.executable, "app.py", *arguments))


def free_port():
    """Return a port that is free on all interfaces, and so is the next."""
    while True:
        # Below those that the system gives to clients, which come and go.
        port = random.randrange(10_000, 32_000)
        with contextlib.suppress(OSError), contextlib.ExitStack() as sockets:
            for number in (port, port + 1):
                sockets.enter_context(socket.create_server(("", number)))
                if has_ipv6():
                    ipv6 = socket.create_server(("", number), family=socket.AF_INET6)
                    sockets.enter_context(ipv6)
            return port


def has_ipv6():
    """Tell whether this machine has IPv6."""
    with contextlib.suppress(OSError):
        with socket.create_server(("::1", 0), family=socket.AF_INET6):
            return True
    return False


@pytest.fixture
async def launch():
    """Start the program, and wait until it says that it is ready."""
    programs = []

    async def launch(*options, command=(sys.executable, "app.py"), bind="127.0.0.1"):
        page = Page(free_port())
        if bind is not None:
            options = ("--bind", bind, *options)
        process = await execute(*command, page.port, *options)
        programs.append(Program(process, page, line=None))
        async with asyncio.timeout(TIMEOUT):
            programs[-1].line = (await process.stdout.readline()).decode()
        if not programs[-1].line:
            pytest.fail(f"the program ended: {await result(process)}")
        return programs[-1]

    yield launch
    for program in programs:
        for client in program.clients:
            client.vanish()
        if program.process.returncode is None:
            program.process.kill()
        await program.process.communicate()


def address_in(line):
    """Return the host and the port of the one address in a line."""
    ((host, port),) = re.findall(r"http://(\[[^]]+\]|[^:/ ]+):(\d+)/(?= |$)", line)
    return host.strip("[]"), int(port)


async def test_program_prints_one_line_with_an_address_that_can_be_opened(launch):
    program = await launch()
    host, port = address_in(program.line)
    assert (host, port) == ("127.0.0.1", program.page.port)
    assert (await Page(port, host).request("/")).status == 200
    # Nothing else is printed, from here to the end.
    await program.stop()


async def test_game_is_played_on_the_port_that_the_page_may_connect_to(launch):
    program = await launch()
    host = f"Host: 127.0.0.1:{program.page.port}"
    answer = await program.page.request("/", headers=[host])
    source = f"ws://127.0.0.1:{program.port}"
    assert answer.policy["connect-src"] == f"'self' {source}"
    red, init = await program.start()
    yellow = await program.join(init["join"])
    await red.play(3)
    for player in (red, yellow):
        await player.expect(*played(3))


@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
async def test_program_listens_on_all_interfaces(launch, host):
    if host == "::1" and not has_ipv6():
        pytest.skip("this machine has no IPv6")
    program = await launch(bind=None)
    assert (await Page(program.page.port, host).request("/")).status == 200
    answer = await Page(program.port, host).exchange(HALF + b"\r\n")
    assert answer.startswith(b"HTTP/1.1 4")  # a WebSocket server's, to half a handshake


async def test_address_for_others_is_one_of_this_machine(launch):
    program = await launch(bind=None)
    host, port = address_in(program.line)
    assert port == program.page.port
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_DGRAM) as udp:
        udp.bind((host, 0))  # fails with the address of somebody else


NO_NETWORK = """
import errno, runpy, socket

def connect(*_):
    raise OSError(errno.ENETUNREACH, "Network is unreachable")

socket.socket.connect = connect
runpy.run_path("app.py", run_name="__main__")
"""


async def test_address_is_localhost_where_there_is_no_network(launch):
    program = await launch(bind=None, command=(sys.executable, "-c", NO_NETWORK))
    assert address_in(program.line) == ("localhost", program.page.port)
    await program.stop()


async def test_program_binds_to_nothing_but_the_address_that_is_given(launch):
    if not has_ipv6():
        pytest.skip("this machine has no IPv6")
    program = await launch(bind="::1")
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


BAD_ARGUMENTS = [
    ["0"],
    ["-1"],
    ["65535"],
    ["70000"],
    ["abc"],
    [""],
    ["80.0"],
    ["0x50"],
    ["9" * 5000],
    ["8000", "8001"],
    ["8000", "--bind"],
]


@pytest.mark.parametrize("arguments", BAD_ARGUMENTS, ids=" ".join)
async def test_bad_arguments_are_answered_by_the_usage(arguments):
    status, output, errors = await run(*arguments)
    assert (status, output) == (2, "")
    assert errors.startswith("usage: ")
    assert "Traceback" not in errors


@pytest.mark.parametrize("bind", [["--bind", "127.0.0.1"], []], ids=["bind", "all"])
@pytest.mark.parametrize("which", [0, 1], ids=["page", "WebSocket"])
async def test_port_that_is_taken_is_named_in_one_line(bind, which):
    port = free_port()
    with socket.create_server(("127.0.0.1", port + which)):
        status, output, errors = await run(port, *bind)
    assert (status, output) == (1, "")
    assert re.fullmatch(rf"[^\n]*\b{port + which}\b[^\n]*taken[^\n]*\n", errors)


ELSEWHERE = ["198.51.100.1", "2001:db8::1"]


@pytest.mark.parametrize("address", ELSEWHERE)
async def test_address_that_is_not_of_this_machine_is_told_in_one_line(address):
    port = free_port()
    status, output, errors = await run(port, "--bind", address)
    assert (status, output) == (1, "")
    assert re.fullmatch(rf"[^\n]*\b{port}\b[^\n]*\n", errors)
    assert "None" not in errors


# The end

SIGNALS = [signal.SIGINT, signal.SIGTERM]


@pytest.mark.parametrize("number", SIGNALS)
async def test_signal_ends_the_program_when_nobody_is_connected(launch, number):
    program = await launch()
    await program.stop(number)


@pytest.mark.parametrize("number", SIGNALS)
async def test_signal_closes_each_connection_with_1001(launch, number):
    program = await launch()
    red, init = await program.start()
    yellow = await program.join(init["join"])
    spectator = await program.watch(init["watch"])
    silent = await program.connect()
    extended, _ = await program.start(subprotocols=[app.EXTENSION])
    for client in (yellow, spectator):
        await client.expect_nothing()
    await program.stop(number)
    for client in (red, yellow, spectator, silent, extended):
        await client.expect_close(1001)


@pytest.mark.parametrize("number", SIGNALS)
async def test_signal_ends_the_program_in_time_whatever_the_clients_do(launch, number):
    program = await launch()
    async with (
        program.page.half_open(program.port),
        program.page.half_open(program.port, b""),
        program.page.half_open(program.page.port),
        program.page.half_open(program.page.port, b""),
    ):
        idle, init = await program.start()
        stalled = await program.join(init["join"])
        await stalled.expect_nothing()
        stalled.websocket.transport.pause_reading()
        # For this one the program waits for a sign of life of the stalled one.
        newcomer = await program.join(init["join"])
        await program.page.request("/")
        await program.stop(number)
    for client in (idle, newcomer):
        await client.expect_close(1001)
    stalled.websocket.transport.resume_reading()
    await stalled.expect_close(1001)


async def test_game_that_waits_for_its_player_does_not_delay_the_end(launch):
    program = await launch()
    client, _ = await program.start(subprotocols=[app.EXTENSION])
    await client.close()
    await program.stop()


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


# As on Windows.
NO_SIGNAL_HANDLERS = """
import asyncio, runpy

def add_signal_handler(*_):
    raise NotImplementedError

asyncio.SelectorEventLoop.add_signal_handler = add_signal_handler
runpy.run_path("app.py", run_name="__main__")
"""


@pytest.mark.parametrize("number", SIGNALS)
async def test_event_loop_need_not_handle_signals(launch, number):
    program = await launch(command=(sys.executable, "-c", NO_SIGNAL_HANDLERS))
    client = await program.connect()
    await program.stop(number)
    await client.expect_close(1001)
