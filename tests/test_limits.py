"""Tests of what the server bounds, with the real figures unless a test says so."""

import asyncio
import json
import time

import pytest
from websockets.asyncio.client import connect

import app
import serving
from helpers import (
    PONG,
    TIMEOUT,
    V2,
    Server,
    forget_all,
    hear,
    hear_presence,
    play_all,
    played,
    present,
    serve,
    start_game,
    stop,
    watch_game,
)


def test_figures_are_those_of_the_contract():
    assert app.GRACE_PERIOD == 24 * 60 * 60
    assert app.INIT_TIMEOUT == 10
    assert app.MAX_KEPT == 10_000
    assert app.SAVE_INTERVAL == 0.2
    assert app.PRESENCE_INTERVAL == serving.PRESENCE_INTERVAL == 0.2
    assert serving.PROBE_TIMEOUT == 2


# Matches to which nobody is connected


async def start_and_leave(server, *columns):
    """Start a match, play in these columns, leave, and return the match."""
    red, init = await server.start(**V2)
    yellow = await server.join(init["code"], **V2)
    await hear_presence(yellow)
    for number, column in enumerate(columns):
        await [red, yellow][number % 2].play(column)
        await (red if number % 2 else yellow).receive()
    match = app.WATCH[init["watch"]]
    for player in (red, yellow):
        async with server.departure():
            await player.close()
    return match


# How many moves were played in the matches, the one left longest ago first; and
# which of them are forgotten, one after the other, when too many are kept.
KEPT = [
    ([2, 2, 2, 2], [0, 1, 2, 3]),
    ([0, 0, 0, 0], [0, 1, 2, 3]),
    ([2, 1, 3, 0], [1, 3, 0, 2]),
    ([2, 2, 2, 1], [3, 0, 1, 2]),
]


@pytest.mark.parametrize(("moves", "order"), KEPT)
async def test_match_with_an_open_seat_is_forgotten_before_those_left_longer_ago(
    server, monkeypatch, moves, order
):
    columns = [[3, 4, 5][:number] for number in moves]
    matches = [await start_and_leave(server, *some) for some in columns]
    forgotten = []
    for number in (4, 3, 2, 1, 0):
        monkeypatch.setattr(app, "MAX_KEPT", number)
        app.forget_old()
        left = [match for match in matches if match not in forgotten]
        assert len(app.LEFT) == number
        forgotten += [match for match in left if match not in app.LEFT]
    assert forgotten == [matches[number] for number in order]


async def test_match_to_which_somebody_came_back_counts_as_left_last(
    server, monkeypatch
):
    monkeypatch.setattr(app, "MAX_KEPT", 1)
    first, second = [await start_and_leave(server) for _ in range(2)]
    back = await server.watch(first.watch_key, **V2)
    await hear_presence(back)
    # One who watches is one who is here.
    app.forget_old()
    assert {*app.LEFT} == {second}
    async with server.departure():
        await back.close()
    app.forget_old()
    assert {*app.LEFT} == {first}


async def test_what_is_too_old_does_not_count_as_too_many(server, monkeypatch):
    monkeypatch.setattr(app, "MAX_KEPT", 1)
    old, new = [await start_and_leave(server) for _ in range(2)]
    app.LEFT[old] -= app.GRACE_PERIOD + 60
    app.forget_old()
    assert {*app.LEFT} == {new}


async def test_spectators_of_a_forgotten_match_are_closed_together(server):
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


async def test_compression_is_off_whatever_the_client_offers(server):
    url = f"ws://127.0.0.1:{server.port}/"
    async with connect(url, compression="deflate") as websocket:
        assert "Sec-WebSocket-Extensions" not in websocket.response.headers


async def test_request_of_the_handshake_is_not_kept(server):
    client = await server.connect("?watch=key")
    await client.send({"type": "init"})
    await client.receive()
    (websocket,) = server.server.connections
    assert (websocket.request.path, [*websocket.request.headers]) == ("", [])


async def test_flood_is_answered_in_many_turns(server):
    flooder, _ = await server.start(**V2)
    await hear(flooder)
    turns = 0

    async def count_turns():
        nonlocal turns
        while True:
            await asyncio.sleep(0)
            turns += 1

    counting = asyncio.create_task(count_turns())
    for _ in range(2000):
        await flooder.send({"type": "ping"})
    for _ in range(2000):
        assert await flooder.receive() == PONG
    counting.cancel()
    assert turns >= 25


@pytest.mark.slow
async def test_players_who_are_gone_are_noticed_in_the_time_that_is_promised():
    games = await serve()
    server = Server(games)
    red, yellow, _ = await start_game(server)
    await play_all(red, yellow, [3, 4])
    lively = await watch_game(server, red)
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
    await red.play(5)
    await lively.expect(played(3, 4, 5)[-1])
    yellow.vanish()
    await stop(games)
    forget_all()
