"""
Tests through nginx, by nginx.conf: two processes, each under a path, with TLS.

All that holds for a proxy of one port, too: a path before ours, another scheme, and a
second port that can't be reached.

"""

import asyncio
import os
import re
import shlex
import shutil
import ssl

import pytest
from websockets.exceptions import InvalidStatus

import helpers
from events import played, won
from helpers import HERE, RED_WINS, TIMEOUT, V2, Server, expect_all, play_moves

# Debian has it where only root looks for programs.
NGINX = shutil.which("nginx", path=f"{os.environ['PATH']}:/usr/sbin")
OPENSSL = shutil.which("openssl")

# For openssl: a certificate that is its own authority.
REQUEST = """
    req -x509 -days 1 -subj /CN=localhost -addext subjectAltName=DNS:localhost
    -addext keyUsage=digitalSignature,keyCertSign
    -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes
    -keyout key.pem -out certificate.pem
"""

# What stands around that configuration on Debian, but for the places.
SURROUNDINGS = """
daemon off;
error_log stderr notice;
pid nginx.pid;
events {{}}
http {{
    access_log access.log;
    client_body_temp_path temp;
    proxy_temp_path temp;
    fastcgi_temp_path temp;
    uwsgi_temp_path temp;
    scgi_temp_path temp;
    ssl_certificate certificate.pem;
    ssl_certificate_key key.pem;
    {}
}}
"""


@pytest.fixture
async def nginx(launch, tmp_path):
    """The proxy in front of two programs. It may not write a key into its logs."""
    for name, path in (("nginx", NGINX), ("openssl", OPENSSL)):
        if path is None:
            advice = f"no {name}: install it, on Debian with apt install {name}"
            (pytest.fail if os.environ.get("CI") else pytest.skip)(advice)
    process = await helpers.execute(OPENSSL, *shlex.split(REQUEST), cwd=tmp_path)
    assert (await helpers.result(process))[0] == 0

    programs, port = [await launch(), await launch()], helpers.free_port()
    block = (HERE / "tests" / "nginx.conf").read_text(encoding="utf-8")
    block = block.replace("listen 80;", f"listen 127.0.0.1:{port} ssl;")
    for place, program in zip(("8010", "8020"), programs, strict=True):
        block = block.replace(f"127.0.0.1:{place}", f"127.0.0.1:{program.port}")
    (tmp_path / "nginx.conf").write_text(SURROUNDINGS.format(block), encoding="utf-8")
    command = NGINX, "-p", tmp_path, "-c", "nginx.conf", "-e", "stderr"
    process = await helpers.execute(*command)
    async with asyncio.timeout(TIMEOUT):
        said = (await process.stderr.readuntil(b"start worker process ")).decode()
    proxy = Server(port=port, host="localhost")
    proxy.trust = ssl.create_default_context(cafile=tmp_path / "certificate.pem")
    proxy.address, proxy.programs = f"wss://localhost:{port}/1/", programs
    yield proxy
    await asyncio.gather(*(client.close() for client in proxy.clients))
    process.terminate()
    status, _, errors = await helpers.result(process)
    said += errors + (tmp_path / "access.log").read_text(encoding="utf-8")
    assert [key for key in helpers.KEYS if key in said] == []
    assert status == 0
    assert re.findall(r"\[(?:warn|error|crit|alert|emerg)\].*", said) == []


async def test_visitors_come_to_the_page_of_a_process_and_no_key_is_logged(nginx):
    # The same visitor comes to the same process.
    answers = [await nginx.request("/?x=y") for _ in range(3)]
    assert {answer.status for answer in answers} == {302}
    (place,) = {answer.headers["Location"] for answer in answers}
    assert re.fullmatch(r"/[12]/\?x=y", place)
    for path in ("/1/", "/2/abc234"):
        status, _, body = await nginx.request(path)
        assert (status, body) == (200, (HERE / "index.html").read_bytes())
    for path, status in {"/3/": 302, "/1/../app.py": 302, "/1/app.py": 404}.items():
        assert (await nginx.request(path)).status == status
    # No key is logged even when a process is gone.
    red, _ = await nginx.start(**V2)
    key = red.init["rejoin"]
    await nginx.programs[0].kill()
    with pytest.raises(InvalidStatus, match="502"):
        await nginx.connect(f"?join={key}")
    for path, status in {"/": 302, "/1/": 502, "/3/": 302}.items():
        path += f"?join={key}"
        assert (await nginx.request(path, f"Referer: {path}")).status == status


async def test_each_path_leads_to_its_own_games_and_own_pages_only(nginx):
    red, yellow = await nginx.start_game()
    spectator = await nginx.watch_game(red, yellow)
    await play_moves(red, yellow, RED_WINS, then=[won("red")])
    late = await nginx.watch(red.init["code"], origin="https://localhost")
    await expect_all([spectator, late], *played(*RED_WINS), won("red"))
    with pytest.raises(InvalidStatus, match="403"):
        await nginx.connect(origin="https://evil.example")
    nginx.address = nginx.address.replace("/1/", "/2/")
    stranger = await nginx.join(red.init["code"], **V2)
    await stranger.expect_error("Game not found.")
    # Strangers behind a proxy are not told of each other, when others are told things.
    (first, _), (second, _) = [await nginx.start(**V2) for _ in range(2)]
    await nginx.watch_game(first)
    assert [event["type"] for event in await second.hear()] == ["start", "presence"]


async def test_two_browsers_play_through_nginx(open_page, nginx):
    from people import see, start, take_turns

    url = nginx.address.replace("wss", "https")
    red, join, _ = await start(open_page, url=url)
    assert join.startswith(url)
    yellow = await open_page(join)
    await take_turns(red, yellow, [3, 3])
    async with red.expect_websocket() as websocket:
        await red.reload()
    assert (await websocket.value).url.startswith(nginx.address)
    await see(red, yellow, moves=[3, 3])
    for page in (red, yellow):
        await page.close()
