"""Tests of the one port, over HTTP and over WebSocket, and of the command line."""

import asyncio
import contextlib
import gzip
import os
import re
import resource
import signal
import socket
import sys
import types

import pytest

import app
import serving
from events import played
from helpers import HALF, TIMEOUT, V2, Server, execute, expect_all, free_port, result

# A whole handshake, but for the empty line and the host.
HANDSHAKE = (
    b"GET / HTTP/1.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
)


# What is served

NAMES = ["main.js", "connect4.js", "connect4.css"]
NAMES += [f"page/{file.name}" for file in (serving.HERE / "page").iterdir()]
FILES = {f"/{name}": serving.HERE / name for name in NAMES}
FILES["/"] = serving.HERE / "index.html"


async def test_files_of_the_page_are_served_whatever_the_query(server):
    for path, file in FILES.items():
        for query in ("", "?watch=b&x=/../app.py", "??%00"):
            status, headers, body = await server.request(path + query)
            assert (status, body) == (200, file.read_bytes())
        assert headers["Content-Type"] == serving.TYPES[file.suffix]
        assert headers["Content-Length"] == str(len(body))
        head = await server.request(path, method="HEAD")
        del head.headers["Date"], headers["Date"]
        assert head == (status, headers, b"")
        small = await server.request(path, "Accept-Encoding: br;q=1.0, gzip;q=0.8,x")
        assert gzip.decompress(small.body) == body
        assert small.headers["Content-Encoding"] == "gzip"
        assert small.headers["Content-Length"] == str(len(small.body))
        assert small.headers["Vary"] == headers["Vary"] == "Accept-Encoding"


# The short link to a match, and what sentences, mail programs and people add to it.
CODES = ["abc234", "aBc23z", "000000", "abc234?join=x&/app.py", "abc234.", "abc234)"]
CODES += ["abc234_", "abc234%22%3E,", "abc234%FF", "abc234%0D%0A", "abc234%F0%9F%99%82"]

# What else is in the folder, tricks, and what is no code, or more than a code.
NOTHING = [
    *("/app.py", "/.git/config", "/tests/conftest.py", "/index.html", "/page/"),
    *("/../../etc/passwd", "/page/../app.py", "/%2e%2e/app.py", "/%252e%252e/app.py"),
    *("//main.js", "/main.js/", "\\main.js", "/MAIN.JS", "/main.js%00", "main.js"),
    *("", "*", "http://127.0.0.1/main.js", "/app.py?/main.js", "/abc23", "/abc2345"),
    *("/abc23.", "/abc234.js", "/abc234/", "/abc234%2F", "/abc234%D9%A3"),
]


async def test_short_link_leads_to_the_page_and_all_else_to_a_link_to_it(server):
    for code in CODES:
        assert (await server.request(f"/{code}")).body == FILES["/"].read_bytes()
    for path in NOTHING:
        status, headers, body = await server.request(path)
        assert (path, status) == (path, 404)
        assert headers["Content-Type"] == "text/html; charset=utf-8"
        assert b'There is nothing here. <a href="/">' in body


POLICY = {
    *("default-src 'none'", "script-src 'self'", "style-src 'self'", "img-src 'self'"),
    *("connect-src 'self' ws: wss:", "base-uri 'none'", "form-action 'none'"),
    "frame-ancestors 'none'",
}

UPGRADE = ["Upgrade: websocket"]
ANSWERS = [
    ("GET", "/", [], 200),
    ("HEAD", "/nothing", [], 404),
    ("POST", "/main.js", [], 405),
    ("POST", "/", ["Origin: http://y"], 405),
    ("GET", "/", UPGRADE, 426),
    ("GET", "/", [*UPGRADE, "Origin: http://y"], 403),
]


@pytest.mark.parametrize(("method", "path", "lines", "code"), ANSWERS)
async def test_each_answer_carries_the_headers_that_protect(
    server, method, path, lines, code
):
    status, headers, _ = await server.request(path, *lines, method=method)
    assert status == code
    assert headers.get("Allow") == ("GET, HEAD" if status == 405 else None)
    assert headers["Cache-Control"] == "no-cache"
    assert headers["Referrer-Policy"] == "no-referrer"
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert {*headers["Content-Security-Policy"].split("; ")} == POLICY
    assert "Server" not in headers


# What is no request, or too much


async def test_request_may_be_16_kib_long_and_no_longer(server):
    limit = 16 * 1024
    data = b"GET / HTTP/1.1\r\n" + (b"X: " + 195 * b"x" + b"\r\n") * 80 + b"X: "
    longest = data.ljust(limit - 4, b"x") + b"\r\n\r\n"
    assert b"200 OK" in await server.exchange(longest)
    # Of one that is longer, it isn't waited for the end.
    for too_long in (data.ljust(limit - 3, b"x") + b"\r\n\r\n", data.ljust(limit + 1)):
        with contextlib.suppress(ConnectionError):
            assert await server.exchange(too_long) == b""


async def test_who_sends_more_than_a_request_is_dropped(server):
    async with server.open(HANDSHAKE + b"\r") as (reader, writer):
        # The server has received this when it answers somebody else.
        assert (await server.request("/")).status == 200
        writer.write(b"\nx")
        with contextlib.suppress(ConnectionError):
            assert await reader.read() == b""


async def test_who_does_not_wait_for_the_answer_causes_no_traceback(server):
    loop = asyncio.get_running_loop()
    bell, ringer = socket.socketpair()
    with bell, ringer, socket.create_connection(("127.0.0.1", server.port)) as sock:
        await server.request("/")

        def hurry():
            bell.recv(1)
            sock.sendall(bytes(2000))

        # In one turn of the event loop, the server reads the request, and more is
        # sent. In the next it isn't answered yet.
        loop.add_reader(bell, hurry)
        sock.sendall(b"GET / HTTP/1.1\r\n\r\n")
        ringer.send(b"x")
        assert (await server.request("/")).status == 200
        loop.remove_reader(bell)


async def test_file_arrives_as_a_whole_however_slow_the_network_is(server):
    with socket.socket() as slow, slow.makefile("rb", buffering=0) as answer:
        slow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
        # Segments as on a real network. Where they are longer, as on loopback, the
        # system takes more at once.
        slow.setsockopt(socket.IPPROTO_TCP, socket.TCP_MAXSEG, 1460)
        slow.connect(("127.0.0.1", server.port))
        slow.sendall(b"GET /connect4.css HTTP/1.1\r\n\r\n")
        await asyncio.to_thread(answer.read, 1)
        # The server doesn't wait for the end.
        await asyncio.wait(set(server.server.handler_tasks))
        data = await asyncio.to_thread(answer.read)
    assert data.endswith(FILES["/connect4.css"].read_bytes())


# Handshakes


async def shake_hands(server, *headers):
    """Send a handshake, and return all that is answered to it before events."""
    lines = HANDSHAKE + "".join(f"{header}\r\n" for header in headers).encode()
    async with server.open(lines + b"\r\n") as (reader, _):
        answer = await reader.readuntil(b"\r\n\r\n")
        if b" 101 " not in answer:
            answer += await reader.read()
    return answer.decode()


HOST = "Host: games.example:8000"
ORIGINS = {
    "no page": ([HOST], 101),
    "other port": ([HOST, "Origin: http://games.example"], 101),
    "TLS, capitals": ([HOST, "Origin: https://Games.Example:8000"], 101),
    "IPv6": (["Host: [2001:db8::1]:8000", "Origin: http://[2001:db8::1]:8000"], 101),
    "proxies": (["Host: y", "X-Forwarded-Host: x.y, z", "Origin: https://x.y"], 101),
    "more": (["X-Forwarded-Host: y", "X-Forwarded-Host: x", "Origin: http://x"], 101),
    "longer name": ([HOST, "Origin: http://games.example.evil.example"], 403),
    "user": ([HOST, "Origin: http://games.example:8000@evil.example"], 403),
    "path": ([HOST, "Origin: http://evil.example/games.example"], 403),
    "null": ([HOST, "Origin: null"], 403),
    "garbage": ([HOST, "Origin: http://[games.example"], 403),
    "no host in either": (["Host:", "Origin:"], 403),
    "two": ([HOST, "Origin: http://games.example", "Origin: http://evil.example"], 403),
    "other header": ([HOST, "X-Forwarded-For: x.org", "Origin: http://x.org"], 403),
}  # fmt: skip


@pytest.mark.parametrize(("headers", "status"), ORIGINS.values(), ids=ORIGINS)
async def test_only_own_pages_and_clients_without_a_page_may_connect(
    server, headers, status
):
    answer = await shake_hands(server, *headers)
    assert answer.startswith(f"HTTP/1.1 {status} ")
    words = "Only this server's own page may connect.\n" if status == 403 else ""
    assert answer.endswith(f"\r\n\r\n{words}")
    assert "Server:" not in answer


async def test_keys_are_never_logged_whatever_they_stand_in(server, log):
    key = "ThisKeyIsASecret"
    referer = f"Referer: http://127.0.0.1:8000/?join={key}"
    for method in ("GET", "POST"):
        answer = await server.request(f"/nothing?join={key}", referer, method=method)
        assert key not in str(answer)
    # What is no request, or breaks off, ends the connection.
    for rest in ("", " x HTTP/1.1\r\n\r\n", "\0\r\n\r\n", "x" * 9000, "é"):
        data = await server.exchange(f"GET /?join={key}{rest}".encode(), end=True)
        assert key.encode() not in data
    for length in range(0, len(HALF), 9):
        assert b" 200 " not in await server.exchange(HALF[:length], end=True)
    for origin in ("null", "http://y"):
        await shake_hands(server, "Host: y", referer, f"Origin: {origin}")
    assert key not in log.getvalue()


# The command line


def test_defaults_are_port_8000_all_interfaces_and_a_file(monkeypatch):
    monkeypatch.setattr(sys, "argv", ["app.py"])
    expected = {"port": 8000, "bind": None, "games": None}
    assert vars(app.parse_arguments()) == expected


BAD_PORTS = ["0", "65535", "80.0", "9" * 5000, "1 2"]


@pytest.mark.parametrize("arguments", BAD_PORTS)
def test_bad_arguments_are_answered_by_the_usage(monkeypatch, capsys, arguments):
    monkeypatch.setattr(sys, "argv", ["app.py", *arguments.split()])
    with pytest.raises(SystemExit) as end:
        app.parse_arguments()
    assert end.value.code == 2
    assert capsys.readouterr().err.startswith("usage: ")


def hosts(program):
    """Return the hosts at which the page can be opened, as the program prints."""
    return re.findall(rf"http://(\S+):{program.port}/", program.text)


async def test_program_listens_on_all_interfaces_on_any_path_of_both_ports(launch):
    program = await launch(bind=None)
    here, *others = hosts(program)
    assert here == "localhost"
    with contextlib.suppress(OSError):
        socket.create_server(("::1", 0), family=socket.AF_INET6).close()
        others.append("::1")
    for host in ("127.0.0.1", *others):
        for port in (program.port, program.port + 1):
            other = Server(port=port, host=host.strip("[]"))
            assert (await other.request("/")).status == 200
    for path in ("", "1/page/game.js?join=x"):
        red, init = await program.start(path=path)
        address = f"ws://127.0.0.1:{program.port + 1}/"
        yellow = await program.join(init["join"], address=address, path=path)
        await expect_all([yellow])
        await red.play(3)
        await expect_all([red, yellow], *played(3))
    await program.stop()


async def test_program_does_with_one_address_and_without_the_next_port(launch):
    port = free_port()
    with socket.create_server(("127.0.0.1", port + 1)):
        program = await launch(port=port, bind="127.0.0.1")
        assert hosts(program) == ["127.0.0.1"]
        await program.start()
        with pytest.raises(OSError, match=r"failed|assign"):
            await Server(port=port, host="::1").request("/")
        taken = f"Cannot listen on port {port + 1}: it's taken. Only clients .*\n"
        await program.stop(errors=taken)


# The program as on Windows, which may wait for a server of names.
WINDOWS = """
import os, runpy, signal, socket, sys
def find(name):
    if os.path.exists({slow!r}):
        open({slow!r}).read()
    return name, [], ["192.0.2.1"]
socket.gethostbyname_ex = find
sys.modules["resource"] = sys.modules["fcntl"] = None
del signal.SIGHUP
sys.path.insert(0, os.getcwd())
sys.argv[0] = "app.py"
runpy.run_path("app.py", run_name="__main__")
"""


async def test_program_runs_on_windows_however_slow_names_are(launch, tmp_path):
    slow = tmp_path / "slow"
    command = sys.executable, "-c", WINDOWS.format(slow=str(slow))
    program = await launch(bind="0.0.0.0", command=command)
    assert hosts(program) == ["localhost", "192.0.2.1"]
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


async def test_address_that_is_not_of_this_machine_is_told_in_one_line():
    words = r"Cannot listen on port [0-9]+: (?!None).* Try another .*"
    for host in ("198.51.100.1", "nobody.invalid", "x" * 70, "é\udc80"):
        with pytest.raises(SystemExit) as end:
            await serving.take_ports(app.handler, host, free_port())
        assert re.fullmatch(words, end.value.code)


async def test_port_that_is_taken_is_told_in_one_line(server):
    taken = f"Cannot listen on port {server.port}: it's taken. Try another port"
    with pytest.raises(SystemExit, match=taken):
        await serving.take_ports(app.handler, "127.0.0.1", server.port)


# Open files


def after(command):
    """Return the command that starts the program after one of the shell."""
    return "sh", "-c", f'{command}; exec "$@"', "sh", sys.executable, "app.py"


async def test_soft_limit_of_open_files_is_raised(launch):
    program = await launch(command=after("ulimit -Sn 64"))
    await asyncio.gather(*(program.start() for _ in range(100)))
    await program.stop()


@pytest.mark.parametrize("raised", [[10_240], []])
def test_limit_is_raised_where_no_limit_is_too_much(monkeypatch, raised):
    limits, unlimited = [], resource.RLIM_INFINITY

    def set_limit(_, limit):
        if limit[0] not in raised:
            raise ValueError("current limit exceeds maximum limit")
        limits.append(limit[0])

    monkeypatch.setattr(resource, "getrlimit", lambda _: (256, unlimited))
    monkeypatch.setattr(resource, "setrlimit", set_limit)
    serving.raise_file_limit()
    assert limits == raised


async def test_too_many_connections_are_one_line_and_stopping_is_quiet(launch):
    program = await launch(command=after("ulimit -n 64"))
    words = b"Too many connections: some have to wait. See ulimit -n.\n"
    async with contextlib.AsyncExitStack() as crowd:
        for _ in range(100):
            await crowd.enter_async_context(program.open())
        async with asyncio.timeout(TIMEOUT):
            assert await program.process.stderr.readline() == words
        # Those who have to wait are looked at again a second later.
        await program.stop()


async def test_warning_that_comes_again_is_logged_once_a_minute(log, monkeypatch):
    for minute in (5, 5.5, 5.9, 6.1, 6.2):
        clock = types.SimpleNamespace(monotonic=lambda minute=minute: 60 * minute)
        monkeypatch.setattr(serving, "time", clock)
        serving.warn("the sky falls")
    assert log.getvalue().count("the sky falls") == 2
    # Other exceptions are logged as ever.
    context = {"message": "the ground shakes"}
    serving.handle_exception(asyncio.get_running_loop(), context)
    assert "the ground shakes" in log.getvalue()


# The end


async def test_hangup_ends_the_program_in_time_whatever_the_clients_do(launch):
    program = await launch()
    async with program.open(), Server(port=program.port + 1).open(b""):
        silent = await program.connect()
        idle, init = await program.start()
        stalled = await program.join(init["join"])
        spectator = await program.watch(init["watch"])
        await expect_all([stalled, spectator])
        stalled.freeze()
        # For this one the program waits for a sign of life of the stalled one.
        newcomer = await program.join(init["join"])
        await program.request("/")
        await program.stop(signal.SIGHUP)
    stalled.thaw()
    for client in (silent, idle, stalled, spectator, newcomer):
        await client.expect_close(1001)


async def test_ctrl_c_again_and_again_ends_the_program_without_a_word(launch):
    program = await launch()
    await program.start(**V2)
    ended = asyncio.create_task(program.process.wait())
    async with asyncio.timeout(TIMEOUT):
        while not ended.done():
            # Not send_signal(), which looks for the exit status before ours does.
            with contextlib.suppress(ProcessLookupError):
                os.kill(program.process.pid, signal.SIGINT)
            await asyncio.wait([ended], timeout=0.002)
    assert await program.process.communicate() == (b"", b"")
    # In its last moments, Python itself has given up its signal handlers.
    assert ended.result() in (0, -signal.SIGINT)


async def test_signal_that_is_to_be_ignored_is_ignored(launch):
    # As nohup does, and as a shell has its background jobs ignore Ctrl-C.
    program = await launch(command=after('trap "" INT HUP'))
    cat = await execute("cat", f"/proc/{program.process.pid}/status")
    ignored = int(re.search(r"SigIgn:\s*(\w+)", (await result(cat))[1])[1], 16)
    assert [number for number in (1, 2, 15) if ignored >> number - 1 & 1] == [1, 2]
    await program.stop()
