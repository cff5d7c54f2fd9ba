"""Tests through the proxy of the README: nginx, with TLS, in front of servers."""

import asyncio
import http.client
import shutil
import signal
import subprocess
import sys
from urllib.parse import urlsplit

import pytest
from playwright.async_api import expect
from websockets.exceptions import InvalidStatus

from helpers import (
    RED_WINS,
    TIMEOUT,
    V2,
    ask,
    hear,
    play_all,
    played,
    present,
    seat_of,
    start_base_game,
    start_game,
    won,
)
from page import FILES
from proxy import open_proxy, read_me, request
from states import expect_board, expect_status, link, play, receive, start
from states import play_all as page_play_all

NO_GAME = "This server begins no game any more."

# What nginx itself says, and how it's connected to whom.
OWN_HEADERS = {"Server", "Date", "Connection"}


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
        with pytest.raises(InvalidStatus, match="503"):
            await proxy.connect(target)
        statuses.append((await proxy.request(f"/{target}", Referer=target))[0])
    assert statuses == [301, 200, 301, 200, 503, 503]


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
    # Not by open_page, because browsers report a page that is a 503.
    spectator = await red.context.new_page()
    problems = []
    spectator.on("pageerror", lambda error: problems.append(str(error)))
    await spectator.goto(watch)
    await expect_status(spectator, "You are watching.")

    def is_503(message):
        return "WebSocket" in message.text and "503" in message.text

    async with red.expect_console_message(is_503):
        async with spectator.expect_console_message(is_503):
            await site.stop()
    for page in (red, spectator):
        await expect_status(page, "The server has stopped")
    assert (await spectator.reload()).status == 503
    await expect(spectator.locator("body")).to_contain_text("Trying again")
    await site.start()
    await spectator.reload()
    await expect_status(spectator, "There is no game at this address")
    await expect_status(red, "This game is gone.")
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
    await expect_status(red, "If it stays lost, you can start a new game.")
    await hear(alive)
    await alive.play(3)
    assert played(3)[0] in await hear(yellow)
    # Somebody with the link is told, too, and a new game works at once elsewhere.
    friend = await open_page(join, ignore_https_errors=True)
    await expect_status(friend, "If it stays lost, you can start a new game.")
    for page in (red, friend):
        await page.get_by_role("link", name="New game").click()
        await play(page, 3)
        await expect_board(page, [3])
        assert urlsplit(page.url).path in {"/1/", "/2/", "/3/"} - {path}
    # Only who wants one is led away, and no game begins elsewhere under this path.
    assert await choose(cluster, path=f"{path}?new") == "/?new"
    for file in ("", "?join=x", "?utm_source=x", "main.js"):
        assert (await cluster.request(path + file))[0] == 200
    with pytest.raises(InvalidStatus, match="503"):
        await cluster.connect(path[1:])


async def test_game_goes_on_when_the_way_to_its_server_was_cut(
    open_page, site, launch, certificate, tmp_path
):
    ports = [site.port, (await launch()).page.port]
    async with open_proxy(ports, certificate, tmp_path) as proxy:
        secure = {"ignore_https_errors": True}
        red, join, _ = await start(open_page, url=f"{proxy.url}1/", **secure)
        yellow = await open_page(join, **secure)
        await play(red, 3)
        await expect_board(yellow, [3])
        await site.cut()
        # Another server gives them the page, and doesn't say that the game is gone.
        for page in (red, yellow):
            await expect_status(page, "If it stays lost, you can start a new game.")
            await page.reload()
            await expect_status(page, "If it stays lost, you can start a new game.")
        await site.start()
        await play(yellow, 3)
        await expect_board(red, [3, 3])


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
    await expect_status(page, "This server begins no game any more.")
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
    await ask(red)
    assert (await receive(red, "error"))["message"] == NO_GAME
    assert program.process.returncode is None
    other, _ = await join_at(cluster, path, waiting["join"])
    for number, column in enumerate(RED_WINS):
        await (alone, other)[number % 2].play(column)
        await receive(alone, "play")
    async with asyncio.timeout(TIMEOUT):
        assert await program.process.wait() == 0


async def test_players_see_the_result_when_their_server_has_stopped(
    cluster, programs, open_page
):
    secure = {"ignore_https_errors": True}
    red, join, _ = await start(open_page, url=cluster.url, **secure)
    yellow = await open_page(join, **secure)
    path = urlsplit(red.url).path
    program = programs[int(path[1]) - 1]
    await page_play_all(red, yellow, RED_WINS[:-1])
    program.process.send_signal(signal.SIGUSR1)
    await play(red, RED_WINS[-1])
    for page, words in [(red, "You win!"), (yellow, "Red wins!")]:
        await expect_status(page, "The server has stopped, and this game is gone.")
        await expect_status(page, words)
        await page.get_by_role("button", name="Previous move").click()
        await expect_board(page, RED_WINS[:-1])
    async with asyncio.timeout(TIMEOUT):
        assert await program.process.wait() == 0
    await yellow.get_by_role("link", name="New game").click()
    await play(yellow, 3)
    assert urlsplit(yellow.url).path != path


async def test_new_game_never_leads_into_an_old_one(cluster, programs, open_page):
    secure = {"ignore_https_errors": True}
    red, _, _ = await start(open_page, url=cluster.url, **secure)
    path = urlsplit(red.url).path
    elsewhere = sorted({"/1/", "/2/", "/3/"} - {path})
    # This browser has a seat on each of the other servers.
    for other in elsewhere:
        tab = await red.context.new_page()
        await tab.goto(cluster.url + other[1:])
        await play(tab, 0)
        await expect_board(tab, [0])
        await tab.close()
    programs[int(path[1]) - 1].process.kill()
    await expect_status(red, "If it stays lost, you can start a new game.")
    await red.get_by_role("link", name="New game").click()
    await expect_status(red, "You move first.")
    assert urlsplit(red.url).path in elsewhere
    await expect_board(red, [])


async def test_newcomers_are_asked_to_wait_when_no_server_begins_games(
    cluster, programs
):
    waiting = [await start_at(cluster, f"/{number}/") for number in (1, 2, 3)]
    for program in programs:
        program.process.send_signal(signal.SIGUSR1)
    async with asyncio.timeout(TIMEOUT):
        while await choose(cluster):
            pass
    for _ in range(2):
        status, headers, body = await cluster.request("/?new")
        assert (status, headers["Retry-After"]) == (503, "10")
        assert b"Trying again in ten seconds" in body
    # Those who play are not disturbed, and links lead to them.
    for number, (_, init) in enumerate(waiting, 1):
        _, event = await join_at(cluster, f"/{number}/", init["invite"])
        assert event == seat_of("yellow", init)


@pytest.mark.parametrize(
    ("path", "status", "location"),
    [
        ("/1", 302, "/1/"),
        ("/2?join=x", 302, "/2/?join=x"),
        ("//1/", 404, None),
        ("/1/x/y", 404, None),
        ("/index.html", 404, None),
        ("/999/?new", 302, "/?new"),
        ("/1%0a?x:y", 404, None),
        ("/1/%0d%0ax:y", 404, None),
    ],
)
async def test_paths_that_lead_nowhere_say_so(proxy, path, status, location):
    found, headers, _ = await proxy.request(path)
    assert (found, headers.get("Location")) == (status, location)


def test_unit_of_the_readme_is_valid(tmp_path):
    if shutil.which("systemd-analyze") is None:
        pytest.skip("no systemd-analyze: this isn't a system with systemd")
    unit = read_me("ini").replace("/opt/connect4/.venv/bin/python", sys.executable)
    (tmp_path / "connect4@.service").write_text(unit, encoding="utf-8")
    command = ["systemd-analyze", "verify", tmp_path / "connect4@8010.service"]
    (tmp_path / "connect4@8010.service").symlink_to(tmp_path / "connect4@.service")
    verified = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (verified.stdout + verified.stderr, verified.returncode) == ("", 0)
