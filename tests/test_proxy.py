"""Tests through what may stand in front of a server."""

import asyncio
import contextlib
import http.client
import socket

import pytest
from websockets.exceptions import InvalidStatus

from helpers import HERE, RED_WINS, TIMEOUT, V2, free_port, played, won
from people import see, start, take_turns
from proxy import NGINX, need, open_nginx, open_tls_proxy


@pytest.fixture(params=["", "1/"], ids=["root", "path"])
async def proxy(launch, certificate, request):
    """A proxy of one port, with TLS, in front of a program whose next port is taken."""
    port = free_port()
    with socket.create_server(("127.0.0.1", port + 1)):
        await launch(port=port)
        async with open_tls_proxy(port, certificate, request.param) as proxy:
            yield proxy


@pytest.fixture
async def nginx(launch, tmp_path):
    """The proxy in front of two programs."""
    need("nginx", NGINX)
    programs = [await launch() for _ in range(2)]
    async with open_nginx([program.port for program in programs], tmp_path) as proxy:
        proxy.programs = programs
        yield proxy


async def play_whole_game(server):
    """Play a game with a spectator; return the keys."""
    red = await server.connect(**V2)
    await red.send({"type": "init"})
    init = await red.receive()
    yellow = await server.join(init["code"], **V2)
    spectator = await server.watch(init["watch"], **V2)
    await wait_for(yellow, "presence")
    await wait_for(spectator, "presence")
    for event in played(*RED_WINS):
        await (red if event["player"] == "red" else yellow).play(event["column"])
        for client in (red, yellow, spectator):
            assert await wait_for(client, "play") == event
    for client in (red, yellow, spectator):
        assert await wait_for(client, "win") == won("red")
    return init


async def wait_for(client, kind):
    """Return the next event of a kind."""
    while (event := await client.receive())["type"] != kind:
        pass
    return event


async def get(url, visitor="127.0.0.1", **headers):
    """Return the status, headers and body of what is at an address, by http."""
    host, _, path = url.removeprefix("http://").partition("/")
    connection = http.client.HTTPConnection(
        host, timeout=TIMEOUT, source_address=(visitor, 0)
    )

    def exchange():
        with contextlib.closing(connection):
            connection.request("GET", f"/{path}", headers=headers)
            response = connection.getresponse()
            return response.status, dict(response.getheaders()), response.read()

    return await asyncio.to_thread(exchange)


# A proxy of one port, with TLS


async def test_clients_play_through_a_proxy_of_one_port(proxy):
    init = await play_whole_game(proxy)
    late = await proxy.watch(init["code"], origin=f"https://localhost:{proxy.port}")
    await late.expect(*played(*RED_WINS), won("red"))
    with pytest.raises(InvalidStatus, match="403"):
        await proxy.connect(origin="https://evil.example")


async def test_two_browsers_play_through_a_proxy_of_one_port(open_page, proxy):
    red, join, _ = await start(open_page, url=proxy.url)
    assert join.startswith(proxy.url)
    yellow = await open_page(join)
    await take_turns(red, yellow, [3, 3])
    async with red.expect_websocket() as websocket:
        await red.reload()
    assert (await websocket.value).url.startswith(proxy.address)
    await see(red, yellow, moves=[3, 3])
    for page in (red, yellow):
        await page.close()


# Several processes, each under a path, by nginx


async def test_visitors_are_spread_and_come_back_to_the_same_process(nginx):
    visitors = [f"127.0.0.{number}" for number in range(1, 41)]
    answers = [await get(f"{nginx.url}?x=y", visitor) for visitor in visitors * 2]
    places = [headers["Location"] for _, headers, _ in answers]
    assert {*places} == {"/1/?x=y", "/2/?x=y"}
    assert places[:40] == places[40:]
    for path in ("1/", "2/abc234"):
        status, _, body = await get(nginx.url + path)
        assert (status, body) == (200, (HERE / "index.html").read_bytes())
    for path in ("3/", "app.py", "1/app.py", "1/../app.py"):
        assert (await get(nginx.url + path))[0] == 404


async def test_each_path_leads_to_its_own_games(nginx):
    for here, there in [("1/", "2/"), ("2/", "1/")]:
        nginx.prefix = here
        init = await play_whole_game(nginx)
        page = await nginx.connect(origin=f"http://localhost:{nginx.port}", **V2)
        await page.send({"type": "init", "watch": init["code"]})
        assert (await page.receive())["code"] == init["code"]
        nginx.prefix = there
        stranger = await nginx.join(init["code"], **V2)
        await stranger.expect_error("Game not found.")


async def test_strangers_behind_a_proxy_are_not_told_of_each_other(nginx):
    nginx.prefix = "1/"
    clients = [await nginx.connect(**V2) for _ in range(2)]
    for client in clients:
        await client.send({"type": "init"})
        await wait_for(client, "presence")
        await client.send({"type": "ping"})
        assert (await client.receive())["type"] == "pong"


async def test_no_key_is_logged_even_when_a_process_is_gone(nginx):
    nginx.prefix = "1/"
    key = (await play_whole_game(nginx))["rejoin"]
    nginx.programs[0].process.kill()
    await nginx.programs[0].process.wait()
    with pytest.raises(InvalidStatus, match="502"):
        await nginx.connect(f"?join={key}")
    for path in ("", "1/", "3/"):
        url = f"http://localhost:{nginx.port}/{path}?join={key}"
        assert (await get(url, Referer=url))[0] == {"": 302, "1/": 502, "3/": 404}[path]
