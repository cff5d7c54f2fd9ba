"""Tests of seats: who may sit where."""

import asyncio

import pytest

import app
from helpers import (
    TIMEOUT,
    V2,
    come,
    hear,
    play_all,
    played,
    present,
    seat_of,
    sitting,
    start_base_game,
    start_game,
    started,
)

pytestmark = pytest.mark.usefixtures("at_once")


@pytest.mark.parametrize("way", ["close", "vanish"])
async def test_player_who_left_comes_back_to_the_game(server, way):
    red, yellow, init = await start_base_game(server)
    await play_all(red, yellow, [3, 4])
    await yellow.close() if way == "close" else yellow.vanish()
    await red.play(5)
    await red.expect(played(3, 4, 5)[-1])
    yellow = await server.join(init["join"])
    await yellow.expect(*played(3, 4, 5))
    await yellow.play(6)
    for player in (red, yellow):
        await player.expect(played(3, 4, 5, 6)[-1])


@pytest.mark.parametrize("seat", ["red", "yellow"])
async def test_taken_seat_is_refused_with_the_key_to_watch(server, seat):
    red, yellow, init = await start_game(server)
    third = await come(server, seat, init)
    event = await third.expect_error("already has this player")
    assert event.keys() == {"type", "message", "watch"}
    assert event["watch"] == init["watch"]
    await third.expect_close(1000)
    for player in (red, yellow):
        assert await hear(player) == []
    await play_all(red, yellow, [3, 4])


@pytest.mark.parametrize("seat", ["red", "yellow"])
async def test_taken_seat_is_refused_to_a_base_client_without_a_key(server, seat):
    red, yellow, init = await start_game(server)
    third = await server.join(seat_of(seat, init)["rejoin"])
    event = await third.expect_error("already has this player")
    assert event.keys() == {"type", "message"}
    await third.expect_close(1000)
    for player in (red, yellow):
        assert await hear(player) == []


async def test_key_to_watch_is_given_for_the_seat_of_a_base_client_too(server):
    _, init = await server.start()
    await server.join(init["join"])
    third = await server.join(init["join"], **V2)
    event = await third.expect_error("already has this player")
    assert event["watch"] == init["watch"]
    await third.expect_close(1000)


@pytest.mark.parametrize("seat", ["red", "yellow"])
async def test_nobody_is_told_when_a_dead_connection_loses_its_seat(
    server, monkeypatch, seat
):
    monkeypatch.setattr(app, "PROBE_TIMEOUT", 0.1)
    red, yellow, init = await start_game(server)
    spectator = await come(server, "spectator", init)
    await hear(spectator)
    dead, other = sitting(seat, red, yellow), sitting(seat, yellow, red)
    await hear(other)
    dead.websocket.transport.pause_reading()
    async with server.departure():
        newcomer = await come(server, seat, init)
    told = present("red", "yellow", spectators=1)
    assert await hear(newcomer) == [seat_of(seat, init), started(), told]
    assert await hear(other) == []
    assert await hear(spectator) == []
    dead.vanish()


async def test_old_connection_is_dropped_when_it_loses_its_seat(server, monkeypatch):
    monkeypatch.setattr(app, "PROBE_TIMEOUT", 0.1)
    red, yellow, init = await start_game(server)
    red.websocket.transport.pause_reading()
    newcomer = await come(server, "red", init)
    await newcomer.expect(seat_of("red", init))
    red.websocket.transport.resume_reading()
    async with asyncio.timeout(TIMEOUT):
        await red.websocket.wait_closed()
    await hear(newcomer)
    await play_all(newcomer, yellow, [3, 4])
    assert await hear(yellow) == []


@pytest.mark.parametrize("seat", ["red", "yellow"])
async def test_only_one_of_many_newcomers_gets_the_seat_of_a_dead_connection(
    server, monkeypatch, seat
):
    monkeypatch.setattr(app, "PROBE_TIMEOUT", 0.1)
    red, yellow, init = await start_game(server)
    dead, other = sitting(seat, red, yellow), sitting(seat, yellow, red)
    dead.websocket.transport.pause_reading()
    newcomers = await asyncio.gather(*(come(server, seat, init) for _ in range(10)))
    # The probes have begun when this is answered. Whoever takes the seat then
    # is alive, and has all the time to say so.
    assert await hear(other) == []
    monkeypatch.setattr(app, "PROBE_TIMEOUT", 2)
    events = [await newcomer.receive() for newcomer in newcomers]
    (taker,) = [
        newcomer
        for newcomer, event in zip(newcomers, events, strict=True)
        if event == seat_of(seat, init)
    ]
    assert [event.get("watch") for event in events] == [init["watch"]] * 10
    assert [event["type"] for event in events].count("error") == 9
    for newcomer in newcomers:
        if newcomer is not taker:
            await newcomer.expect_close(1000)
    assert await hear(taker) == [started(), present("red", "yellow")]
    assert await hear(other) == []
    dead.vanish()


async def test_only_one_of_many_newcomers_gets_a_seat_that_was_just_left(server):
    red, yellow, init = await start_game(server)
    yellow.vanish()
    newcomers = await asyncio.gather(*(come(server, "yellow", init) for _ in range(10)))
    events = [await newcomer.receive() for newcomer in newcomers]
    assert sorted(event["type"] for event in events) == ["error"] * 9 + ["init"]
    assert (await hear(red))[-1:] in ([], [present("red", "yellow")])
