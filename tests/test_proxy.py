"""
Tests through the proxy of the README: nginx, with TLS, in front of the server.

Its configuration is the README's, but for names, ports and paths. What stands
around it here stands around it on Debian, too.

"""

import asyncio
import contextlib
import http.client
import os
import re
import shlex
import shutil
import signal
import ssl
import subprocess
import sys
from urllib.parse import urlsplit

import pytest
from websockets.exceptions import InvalidStatus

from helpers import (
    KEYS,
    RED_WINS,
    TIMEOUT,
    V2,
    Server,
    execute,
    free_port,
    has_ipv6,
    hear,
    play_all,
    played,
    present,
    result,
    seat_of,
    start_base_game,
    start_game,
    won,
)
from page import FILES, HERE
from states import expect_board, expect_status, link, play, receive, start

# Debian has it where only root looks for programs.
NGINX = shutil.which("nginx", path=f"{os.environ['PATH']}:/usr/sbin")
OPENSSL = shutil.which("openssl")

# Logs tell more here than on Debian, and no path is outside of this folder.
SURROUNDINGS = """
error_log stderr info;
pid nginx.pid;
events {{ worker_connections 4096; }}
http {{
    access_log access.log;
    client_body_temp_path temp;
    proxy_temp_path temp;
    fastcgi_temp_path temp;
    uwsgi_temp_path temp;
    scgi_temp_path temp;
    gzip on;
    {block}
}}
"""

# For openssl: a certificate that is its own authority.
REQUEST = """
    req -x509 -days 1 -subj /CN=localhost -addext subjectAltName=DNS:localhost
    -addext keyUsage=digitalSignature,keyCertSign
    -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes
    -keyout key.pem -out certificate.pem
"""

# What nginx itself says, and how it's connected to whom.
OWN_HEADERS = {"Server", "Date", "Connection"}


class Proxy(Server):
    """A live proxy, and the clients that are connected through it."""

    def __init__(self, trust):
        super().__init__(server=None)
        self.trust = trust  # in its certificate
        self.http_port = free_port()

    @property
    def port(self):
        return self.http_port + 1

    @property
    def url(self):
        return f"https://localhost:{self.port}/"

    @property
    def address(self):
        return self.url.replace("https", "wss")

    async def connect(self, path="", **options):
        return await super().connect(path, ssl=self.trust, **options)

    async def request(self, path, *, plainly=False, visitor="127.0.0.1", **options):
        """Send a request by https or plain http, and return the answer."""
        source = {"source_address": (visitor, 0), "timeout": TIMEOUT}
        if plainly:
            connection = http.client.HTTPConnection(
                "localhost", self.http_port, **source
            )
        else:
            connection = http.client.HTTPSConnection(
                "localhost", self.port, context=self.trust, **source
            )
        return await request(connection, path, **options)


async def request(connection, path, *, method="GET", **headers):
    """Send a request, and return the status, the headers and the body."""

    def exchange():
        with contextlib.closing(connection):
            connection.request(method, path, headers=headers)
            response = connection.getresponse()
            return response.status, dict(response.getheaders()), response.read()

    return await asyncio.to_thread(exchange)


def read_me(language):
    """Return the one block in the README that is in a language."""
    readme = (HERE / "README.md").read_text(encoding="utf-8")
    pattern = rf"^```{language}\n(.*?)^```$"
    (block,) = re.findall(pattern, readme, re.MULTILINE | re.DOTALL)
    return block


def repeat(block, ports):
    """Return a block with the lines of the first server for each server, by ports."""
    lines = []
    for line in block.splitlines():
        if re.search("801[01]", line):
            for number, port in enumerate(ports, 1):
                mine = line.replace("8010", str(port)).replace("8011", str(port + 1))
                mine = mine.replace("/1/", f"/{number}/").replace(" 1:", f" {number}:")
                lines.append(mine)
        elif not re.search("802[01]", line):
            lines.append(line)
    return "\n".join(lines)


def configuration(ports, proxy, certificate):
    """Return the README's configuration, with the names, ports and paths of a test."""
    block = repeat(read_me("nginx"), ports)
    folder = "/etc/letsencrypt/live/connect4.example.org"
    places = {
        "listen 80;": f"listen 127.0.0.1:{proxy.http_port};",
        "listen 443 ssl;": f"listen 127.0.0.1:{proxy.port} ssl;",
        "listen [::]:80;": f"listen [::1]:{proxy.http_port};" if has_ipv6() else "",
        "listen [::]:443 ssl;": f"listen [::1]:{proxy.port} ssl;" if has_ipv6() else "",
        f"{folder}/fullchain.pem": f"{certificate / 'certificate.pem'}",
        f"{folder}/privkey.pem": f"{certificate / 'key.pem'}",
        "connect4.example.org": "localhost",
    }
    for place, substitute in places.items():
        assert place in block
        block = block.replace(place, substitute)
    return SURROUNDINGS.format(block=block)


@pytest.fixture(scope="session")
def certificate(tmp_path_factory):
    """A folder with a certificate for localhost, and its key."""
    for name, path in {"nginx": NGINX, "openssl": OPENSSL}.items():
        if path is None:
            advice = f"no {name}: install it, on Debian with apt install {name}"
            if os.environ.get("CI"):
                pytest.fail(advice)
            pytest.skip(advice)
    folder = tmp_path_factory.mktemp("certificate")
    command = [OPENSSL, *shlex.split(REQUEST)]
    subprocess.run(command, cwd=folder, check=True, capture_output=True)
    return folder


@contextlib.asynccontextmanager
async def open_proxy(ports, certificate, tmp_path):
    """Start the proxy in front of servers. It may not write a key into its logs."""
    trust = ssl.create_default_context(cafile=certificate / "certificate.pem")
    proxy = Proxy(trust)
    text = configuration(ports, proxy, certificate)
    (tmp_path / "nginx.conf").write_text(text, encoding="utf-8")
    command = [NGINX, "-p", tmp_path, "-c", "nginx.conf", "-e", "stderr"]
    process = await execute(*command, "-g", "daemon off;")
    said = ""
    try:
        while "start worker process " not in said:
            async with asyncio.timeout(TIMEOUT):
                line = (await process.stderr.readline()).decode()
            assert line, f"nginx ended: {said}"
            said += line
        yield proxy
        await asyncio.gather(*(client.close() for client in proxy.clients))
    finally:
        if process.returncode is None:
            process.terminate()
        status, _, errors = await result(process)
    said += errors
    logs = said + (tmp_path / "access.log").read_text(encoding="utf-8")
    assert [key for key in KEYS if key in logs] == []
    assert status == 0
    assert re.findall(r"\[(?:warn|error|crit|alert|emerg)\].*", said) == []


@pytest.fixture
async def proxy(site, certificate, tmp_path):
    """The proxy in front of one server."""
    async with open_proxy([site.port], certificate, tmp_path) as proxy:
        yield proxy


@pytest.fixture
async def programs(launch):
    """Three servers, each in a process of its own."""
    return [await launch() for _ in range(3)]


@pytest.fixture
async def cluster(programs, certificate, tmp_path):
    """The proxy in front of these three."""
    ports = [program.page.port for program in programs]
    async with open_proxy(ports, certificate, tmp_path) as proxy:
        yield proxy


# The page


@pytest.mark.parametrize("method", ["GET", "HEAD", "POST"])
async def test_answers_come_through_as_they_are(site, proxy, method):
    for path in [*FILES, "/nothing", "/?watch=nothing"]:
        host = f"localhost:{proxy.port}"
        direct = http.client.HTTPConnection("127.0.0.1", site.port, timeout=TIMEOUT)
        answers = [
            await request(direct, path, method=method, Host=host),
            await proxy.request(f"/1{path}", method=method),
        ]
        for _, headers, _ in answers:
            for name in OWN_HEADERS:
                del headers[name]
        assert answers[0] == answers[1]


async def test_plain_http_leads_to_https(proxy):
    for path in ("/", "/main.js", "/?watch=nothing&a=%20b"):
        status, headers, _ = await proxy.request(path, plainly=True)
        assert (status, headers["Location"]) == (301, f"https://localhost{path}")


# Games


async def test_whole_game_is_played_until_the_server_stops(site, proxy):
    red, yellow, init = await start_base_game(proxy)
    spectator = await proxy.watch(init["watch"])
    await spectator.expect_nothing()
    await play_all(red, yellow, RED_WINS, then=[won("red")])
    await spectator.expect(*played(*RED_WINS), won("red"))
    for client in (red, yellow, spectator):
        await client.expect_nothing()
    await site.stop()
    for client in (red, yellow, spectator):
        await client.expect_close(1001)


async def test_whole_game_is_played_with_the_extension(site, proxy):
    red, yellow, init = await start_game(proxy)
    for client in (red, yellow):
        assert client.websocket.subprotocol == "connect4.v2"
    assert init["host"] is None  # the page's own is the one that others can reach
    await play_all(red, yellow, RED_WINS, then=[won("red")])
    yellow.vanish()
    await red.expect(present("red"))
    await site.stop()
    await red.expect_close(1001)


async def test_no_key_is_logged(site, proxy):
    _, init = await proxy.start()
    await proxy.join(init["join"])
    statuses = []
    for key in init["join"], init["watch"]:
        target = f"1/?join={key}"
        await proxy.connect(target)
        statuses.append((await proxy.request(f"/{target}", plainly=True))[0])
        statuses.append((await proxy.request(f"/{target}"))[0])
    await site.stop()
    # What fails is what nginx would tell most about.
    for key in init["join"], init["watch"]:
        target = f"1/?join={key}"
        with pytest.raises(InvalidStatus, match="502"):
            await proxy.connect(target)
        statuses.append((await proxy.request(f"/{target}", Referer=target))[0])
    assert statuses == [301, 200, 301, 200, 502, 502]


# Browsers


async def test_two_play_in_browsers(open_page, proxy):
    secure = {"ignore_https_errors": True}
    red, join, watch = await start(open_page, url=proxy.url, **secure)
    assert join.startswith(f"{proxy.url}1/?join=")
    assert watch.startswith(f"{proxy.url}1/?watch=")
    yellow = await open_page(join, **secure)
    spectator = await open_page(watch, **secure)
    await play(red, 3)
    await play(yellow, 3)
    for page in (red, yellow, spectator):
        await expect_board(page, [3, 3])
    async with red.expect_websocket() as websocket:
        await red.reload()
    assert (await websocket.value).url == red.url.replace("https", "wss")
    await expect_board(red, [3, 3])
    assert await link(red, "watch") == watch


async def test_pages_come_back_when_the_server_does(open_page, site, proxy):
    red, _, watch = await start(open_page, url=proxy.url, ignore_https_errors=True)
    # Not by open_page, because browsers report a page that is a 502.
    spectator = await red.context.new_page()
    problems = []
    spectator.on("pageerror", lambda error: problems.append(str(error)))
    await spectator.goto(watch)
    await expect_status(spectator, "You are watching.")

    def is_502(message):
        return "WebSocket" in message.text and "502" in message.text

    async with red.expect_console_message(is_502):
        async with spectator.expect_console_message(is_502):
            await site.stop()
    for page in (red, spectator):
        await expect_status(page, "The server has stopped")
    assert (await spectator.reload()).status == 502
    await site.start()
    assert (await spectator.reload()).status == 200
    for page in (red, spectator):
        await expect_status(page, "This game is gone.")
    await red.get_by_role("link", name="New game").click()
    await play(red, 3)
    await expect_board(red, [3])
    assert problems == []


# Many servers


async def choose(cluster, visitor="127.0.0.1", path="/"):
    """Return the path to which a visitor is led, or None."""
    _, headers, _ = await cluster.request(path, visitor=visitor)
    return headers.get("Location")


async def start_at(cluster, path):
    """Start a game on the server with a path; return red and the init event."""
    red = await cluster.connect(path[1:], **V2)
    await red.send({"type": "init"})
    return red, await red.receive()


async def join_at(cluster, path, key):
    client = await cluster.connect(path[1:], **V2)
    await client.send({"type": "init", "join": key})
    return client, await client.receive()


async def test_games_are_spread_and_each_link_leads_to_its_game(cluster):
    visitors = [f"127.0.0.{number}" for number in range(1, 21)]
    paths = [await choose(cluster, visitor) for visitor in visitors]
    assert {*paths} == {"/1/", "/2/", "/3/"}
    # Who comes again finds the same server, where the browser has stored the seat.
    assert paths == [await choose(cluster, visitor) for visitor in visitors]
    games = await asyncio.gather(*(start_at(cluster, path) for path in paths * 15))
    assert len({init["invite"] for _, init in games}) == 300
    for path, (_, init) in zip(paths, games[:20], strict=True):
        for elsewhere in {"/1/", "/2/", "/3/"} - {path}:
            _, event = await join_at(cluster, elsewhere, init["invite"])
            assert event["message"] == "Game not found."
        _, event = await join_at(cluster, path, init["invite"])
        assert event == seat_of("yellow", init)


async def test_only_the_games_of_a_server_that_is_killed_end(
    cluster, programs, open_page
):
    red, join, _ = await start(open_page, url=cluster.url, ignore_https_errors=True)
    path = urlsplit(red.url).path
    (other, *_) = {"/1/", "/2/", "/3/"} - {path}
    alive, init = await start_at(cluster, other)
    yellow, _ = await join_at(cluster, other, init["join"])
    process = programs[int(path[1]) - 1].process
    process.kill()
    await process.wait()
    await expect_status(red, "This game is gone. You can start a new one.")
    await hear(alive)
    await alive.play(3)
    assert played(3)[0] in await hear(yellow)
    # Somebody with the link is told, too, and a new game works at once elsewhere.
    friend = await open_page(join, ignore_https_errors=True)
    await expect_status(friend, "This game is gone. You can start a new one.")
    for page in (red, friend):
        await page.get_by_role("link", name="New game").click()
        await play(page, 3)
        await expect_board(page, [3])
        assert urlsplit(page.url).path in {"/1/", "/2/", "/3/"} - {path}
    assert await choose(cluster, path=path) == "/"
    assert (await cluster.request(f"{path}main.js"))[0] == 200


async def test_server_that_is_stopped_gently_ends_its_games_first(
    cluster, programs, open_page
):
    path = await choose(cluster)
    program = programs[int(path[1]) - 1]
    red, init = await start_at(cluster, path)
    yellow, _ = await join_at(cluster, path, init["join"])
    alone, waiting = await start_at(cluster, path)
    for number, column in enumerate(RED_WINS[:-1]):
        await (red, yellow)[number % 2].play(column)
        await receive(red, "play")
        await receive(yellow, "play")
    program.process.send_signal(signal.SIGUSR1)
    # A newcomer on the page of that server is told, and led elsewhere.
    page = await open_page(f"{cluster.url}{path[1:]}", ignore_https_errors=True)
    await expect_status(page, "This server is about to stop")
    await page.get_by_role("link", name="New game").click()
    await play(page, 3)
    assert urlsplit(page.url).path != path
    assert await choose(cluster) != path
    # Its games go on, and it ends when the last of them is over.
    yellow.vanish()
    yellow, event = await join_at(cluster, path, init["join"])
    assert event == seat_of("yellow", init)
    await red.play(RED_WINS[-1])
    for player in (red, yellow):
        assert await receive(player, "win") == won("red")
    assert program.process.returncode is None
    other, _ = await join_at(cluster, path, waiting["join"])
    for number, column in enumerate(RED_WINS):
        await (alone, other)[number % 2].play(column)
        await receive(alone, "play")
    async with asyncio.timeout(TIMEOUT):
        assert await program.process.wait() == 0


def test_unit_of_the_readme_is_valid(tmp_path):
    if shutil.which("systemd-analyze") is None:
        pytest.skip("no systemd-analyze: this isn't a system with systemd")
    unit = read_me("ini").replace("/opt/connect4/.venv/bin/python", sys.executable)
    (tmp_path / "connect4@.service").write_text(unit, encoding="utf-8")
    command = ["systemd-analyze", "verify", tmp_path / "connect4@8010.service"]
    (tmp_path / "connect4@8010.service").symlink_to(tmp_path / "connect4@.service")
    verified = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (verified.stdout + verified.stderr, verified.returncode) == ("", 0)
