"""Tests of what the server bounds, with the real figures unless a test says so."""

import asyncio
import json
import time

import pytest
from websockets.asyncio.client import connect

import app
from helpers import (
    PONG,
    TIMEOUT,
    V2,
    Server,
    hear_presence,
    played,
    present,
    start_game,
)


@pytest.fixture
async def real_grace():
    """Games wait for their players; those that are left in the end are forgotten."""
    yield
    for match in list(app.FORSAKEN):
        app.forget(match)


def test_figures_are_those_of_the_contract():
    assert app.GRACE_PERIOD == 600
    assert app.INIT_TIMEOUT == 10
    assert app.PROBE_TIMEOUT == 2
    assert app.PRESENCE_INTERVAL == 0.2
    assert app.MAX_FORSAKEN == 10_000


# Games whose players are all away


async def leave(server, red):
    async with server.departure():
        await red.close()


async def test_game_that_is_forsaken_longest_is_forgotten_when_they_are_too_many(
    server, real_grace, monkeypatch
):
    monkeypatch.setattr(app, "MAX_FORSAKEN", 3)
    games = [await server.start(**V2) for _ in range(5)]
    spectator = await server.watch(games[1][1]["watch"])
    for red, _ in games[:3]:
        await leave(server, red)
    assert len(app.FORSAKEN) == 3
    # One who comes back counts no more, and then is the last to have left.
    back = await server.join(games[0][1]["rejoin"], **V2)
    await hear_presence(back)
    await leave(server, back)
    await leave(server, games[3][0])
    await spectator.expect_error("gone")
    await spectator.expect_close(1000)
    assert {init["watch"] for _, init in games} - {*app.WATCH} == {games[1][1]["watch"]}
    await leave(server, games[4][0])
    kept = [games[number][1] for number in (0, 3, 4)]
    assert {*app.WATCH} == {init["watch"] for init in kept}
    names = "join", "rejoin", "invite"
    assert {*app.JOIN} == {init[name] for init in kept for name in names}


@pytest.mark.usefixtures("no_grace")
async def test_game_that_is_forgotten_at_once_is_not_forgotten_again(
    server, monkeypatch
):
    monkeypatch.setattr(app, "MAX_FORSAKEN", 0)
    red, _ = await server.start(**V2)
    await leave(server, red)
    assert (app.JOIN, app.WATCH, app.FORSAKEN) == ({}, {}, {})


@pytest.mark.usefixtures("no_grace")
async def test_spectators_of_a_forgotten_game_are_closed_together(server):
    red, init = await server.start()
    spectators = [await server.watch(init["watch"]) for _ in range(4)]
    await spectators[-1].expect_nothing()
    for frozen in spectators[:3]:
        frozen.websocket.transport.pause_reading()
    begun = time.monotonic()
    await red.close()
    await spectators[3].expect_error("gone")
    await spectators[3].expect_close(1000)
    # A client that has frozen takes the whole second of close_timeout.
    assert time.monotonic() - begun < 1
    for frozen in spectators[:3]:
        frozen.websocket.transport.resume_reading()
        await frozen.expect_close(1000)


# Connections


@pytest.mark.usefixtures("no_grace")
async def test_compression_is_off_whatever_the_client_offers(server):
    url = f"ws://127.0.0.1:{server.port}/"
    async with connect(url, compression="deflate") as websocket:
        assert "Sec-WebSocket-Extensions" not in websocket.response.headers


@pytest.mark.usefixtures("no_grace")
async def test_headers_of_the_handshake_are_not_kept(server):
    _, init = await server.start()
    spectator = await server.watch(init["watch"])
    await spectator.expect_nothing()
    for websocket in server.server.connections:
        assert not [*websocket.request.headers, *websocket.response.headers]


@pytest.mark.usefixtures("no_grace")
async def test_each_answer_to_a_flood_takes_a_turn_of_its_own(server):
    flooder, _ = await server.start(**V2)
    await hear_presence(flooder)
    turns = 0

    async def count_turns():
        nonlocal turns
        while True:
            await asyncio.sleep(0)
            turns += 1

    # The server reads these at once, as they have less than 1 KiB.
    for _ in range(30):
        await flooder.send({"type": "ping"})
    counting = asyncio.create_task(count_turns())
    for _ in range(30):
        assert await flooder.receive() == PONG
    counting.cancel()
    assert turns >= 30


@pytest.mark.slow
async def test_players_who_are_gone_are_noticed_in_the_time_that_is_promised(
    real_grace,
):
    async with app.serve_games("127.0.0.1", 0) as games:
        server = Server(games)
        red, yellow, init = await start_game(server)
        lively = await server.watch(init["watch"], **V2)
        for client in (red, lively):
            told = present("red", "yellow", spectators=1)
            assert await hear_presence(client) == told
        silent = await server.connect()
        begun = time.monotonic()

        async def next_event(client):
            """Return the next event, and when it came, however late."""
            event = json.loads(await client.websocket.recv())
            return event, time.monotonic() - begun

        yellow.websocket.transport.pause_reading()
        async with asyncio.timeout(2 * TIMEOUT):
            (left, noticed), (late, refused) = await asyncio.gather(
                next_event(red), next_event(silent)
            )
        assert left == present("red", spectators=1)
        assert 16.5 <= noticed <= 18.5
        assert late["type"] == "error"
        assert 9.5 <= refused <= 11
        await silent.expect_close(1008)
        # Who answers pings stays, however long nothing happens.
        await lively.expect(left)
        await red.play(3)
        await lively.expect(*played(3))
        yellow.vanish()
