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
import ssl
import subprocess

import pytest
from websockets.exceptions import InvalidStatus

from helpers import (
    KEYS,
    RED_WINS,
    TIMEOUT,
    Server,
    execute,
    free_port,
    has_ipv6,
    play_all,
    played,
    present,
    result,
    start_base_game,
    start_game,
    won,
)
from page import FILES, HERE
from states import expect_board, expect_status, link, play, start

# Debian has it where only root looks for programs.
NGINX = shutil.which("nginx", path=f"{os.environ['PATH']}:/usr/sbin")
OPENSSL = shutil.which("openssl")

# Logs tell more here than on Debian, and no path is outside of this folder.
SURROUNDINGS = """
error_log stderr info;
pid nginx.pid;
events {{}}
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

    async def request(self, path, *, plainly=False, **options):
        """Send a request by https or plain http, and return the answer."""
        if plainly:
            connection = http.client.HTTPConnection(
                "localhost", self.http_port, timeout=TIMEOUT
            )
        else:
            connection = http.client.HTTPSConnection(
                "localhost", self.port, timeout=TIMEOUT, context=self.trust
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


def configuration(site, proxy, certificate):
    """Return the README's configuration, with the names, ports and paths of a test."""
    readme = (HERE / "README.md").read_text(encoding="utf-8")
    (block,) = re.findall(r"^```nginx\n(.*?)^```$", readme, re.MULTILINE | re.DOTALL)
    folder = "/etc/letsencrypt/live/connect4.example.org"
    places = {
        "127.0.0.1:8000": f"127.0.0.1:{site.port}",
        "127.0.0.1:8001": f"127.0.0.1:{site.port + 1}",
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


@pytest.fixture
async def proxy(site, certificate, tmp_path):
    """The proxy in front of a site. It may not write a key into its logs."""
    trust = ssl.create_default_context(cafile=certificate / "certificate.pem")
    proxy = Proxy(trust)
    text = configuration(site, proxy, certificate)
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


# The page


@pytest.mark.parametrize("method", ["GET", "HEAD", "POST"])
async def test_answers_come_through_as_they_are(site, proxy, method):
    for path in [*FILES, "/nothing", "/?watch=nothing"]:
        host = f"localhost:{proxy.port}"
        direct = http.client.HTTPConnection("127.0.0.1", site.port, timeout=TIMEOUT)
        answers = [
            await request(direct, path, method=method, Host=host),
            await proxy.request(path, method=method),
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
        target = f"?join={key}"
        await proxy.connect(target)
        statuses.append((await proxy.request(f"/{target}", plainly=True))[0])
        statuses.append((await proxy.request(f"/{target}"))[0])
    await site.stop()
    # What fails is what nginx would tell most about.
    for key in init["join"], init["watch"]:
        target = f"?join={key}"
        with pytest.raises(InvalidStatus, match="502"):
            await proxy.connect(target)
        statuses.append((await proxy.request(f"/{target}", Referer=target))[0])
    assert statuses == [301, 200, 301, 200, 502, 502]


# Browsers


async def test_two_play_in_browsers(open_page, proxy):
    secure = {"ignore_https_errors": True}
    red, join, watch = await start(open_page, url=proxy.url, **secure)
    assert join.startswith(f"{proxy.url}?join=")
    assert watch.startswith(f"{proxy.url}?watch=")
    yellow = await open_page(join, **secure)
    spectator = await open_page(watch, **secure)
    await play(red, 3)
    await play(yellow, 3)
    for page in (red, yellow, spectator):
        await expect_board(page, [3, 3])
    async with red.expect_websocket() as websocket:
        await red.reload()
    assert (await websocket.value).url == proxy.url.replace("https", "wss")
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
