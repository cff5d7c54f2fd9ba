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

TAKEN = {"type": "error", "message": "The game already has this player."}


@pytest.mark.parametrize("way", ["close", "vanish"])
@pytest.mark.parametrize("options", [V2, {}], ids=["extension", "base"])
@pytest.mark.parametrize("seat", ["red", "yellow"])
async def test_player_who_left_comes_back_and_plays_on(server, seat, options, way):
    red, yellow, init = await start_game(server)
    moves = [3, 4, 5, 6] if seat == "yellow" else [3, 4, 5, 6, 0]
    await play_all(red, yellow, moves[:-2])
    leaver, other = sitting(seat, red, yellow), sitting(seat, yellow, red)
    async with server.departure():
        await leaver.close() if way == "close" else leaver.vanish()
    # The game goes on meanwhile.
    await other.play(moves[-2])
    assert (await hear(other))[-1] == played(*moves)[-2]
    back = await server.join(seat_of(seat, init)["rejoin"], **options)
    if options:
        await back.expect(seat_of(seat, init), started())
    await back.expect(*played(*moves)[:-1])
    if options:
        await back.expect(present("red", "yellow"))
    await back.play(moves[-1])
    await back.expect(played(*moves)[-1])
    await other.expect(present("red", "yellow"), played(*moves)[-1])


@pytest.mark.parametrize("options", [V2, {}], ids=["extension", "base"])
@pytest.mark.parametrize("seat", ["red", "yellow"])
async def test_taken_seat_is_refused_with_the_key_to_watch(server, seat, options):
    red, yellow, init = await start_game(server)
    third = await server.join(seat_of(seat, init)["rejoin"], **options)
    # The base protocol knows no such key in an error.
    key = {"watch": init["watch"]} if options else {}
    await third.expect({**TAKEN, **key})
    await third.expect_close(1000)
    for player in (red, yellow):
        assert await hear(player) == []
    await play_all(red, yellow, [3, 4])


async def test_key_to_watch_is_given_for_the_seat_of_a_base_client_too(server):
    _, _, init = await start_base_game(server)
    third = await server.join(init["join"], **V2)
    await third.expect({**TAKEN, "watch": init["watch"]})


@pytest.mark.parametrize("seat", ["red", "yellow"])
async def test_dead_connection_loses_its_seat_to_one_newcomer_and_nobody_is_told(
    server, monkeypatch, seat
):
    monkeypatch.setattr(app, "PROBE_TIMEOUT", 0.1)
    red, yellow, init = await start_game(server)
    spectator = await come(server, "spectator", init)
    dead, other = sitting(seat, red, yellow), sitting(seat, yellow, red)
    told = present("red", "yellow", spectators=1)
    assert (await hear(spectator), await hear(other)) == ([started(), told], [told])
    dead.websocket.transport.pause_reading()
    newcomers = await asyncio.gather(*(come(server, seat, init) for _ in range(10)))
    # The probes have begun when this is answered. Whoever takes the seat then
    # is alive, and has all the time to say so.
    assert await hear(other) == []
    monkeypatch.setattr(app, "PROBE_TIMEOUT", 2)
    events = [await newcomer.receive() for newcomer in newcomers]
    taker = newcomers.pop(events.index(seat_of(seat, init)))
    assert events.count({**TAKEN, "watch": init["watch"]}) == 9
    for newcomer in newcomers:
        await newcomer.expect_close(1000)
    assert await hear(taker) == [started(), told]
    # The old connection is dropped.
    dead.websocket.transport.resume_reading()
    async with asyncio.timeout(TIMEOUT):
        await dead.websocket.wait_closed()
    for client in (taker, other, spectator):
        assert await hear(client) == []
    await play_all(*((taker, other) if dead is red else (other, taker)), [3, 4])


async def test_only_one_of_many_newcomers_gets_a_seat_that_is_left_meanwhile(server):
    red, yellow, init = await start_game(server)
    yellow.websocket.transport.pause_reading()
    newcomers = await asyncio.gather(*(come(server, "yellow", init) for _ in range(10)))
    # The probes have begun when this is answered.
    assert await hear(red) == []
    yellow.vanish()
    events = [await newcomer.receive() for newcomer in newcomers]
    assert sorted(event["type"] for event in events) == ["error"] * 9 + ["init"]
    assert (await hear(red))[-1:] in ([], [present("red", "yellow")])
