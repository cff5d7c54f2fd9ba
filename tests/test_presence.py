"""Tests of presence: who is told when that others come and go."""

import time

import pytest

import app
from helpers import (
    NOT_YOUR_TURN,
    V2,
    come_back,
    hear,
    hear_presence,
    play_all,
    present,
    start_game,
    started,
    waiting,
    watch_game,
)

at = pytest.mark.usefixtures("at_once")


@at
async def test_everybody_is_told_who_comes_and_goes(server):
    red, init = await server.start(**V2)
    assert await hear(red) == [started(), present("red", open=["yellow"]), waiting()]
    spectator = await server.watch(init["watch"], **V2)
    told = present("red", open=["yellow"], spectators=1)
    assert (await hear(spectator))[1:] == [started(), told]
    await red.expect(told)
    yellow = await server.join(init["code"], **V2)
    for client in (red, spectator):
        await client.expect(present("red", "yellow", spectators=1))
    await spectator.close()
    await red.expect(present("red", "yellow"))
    # Nobody can take a seat in which somebody has moved.
    await hear(yellow)
    await play_all(red, yellow, [3, 4])
    yellow.vanish()
    await red.expect(present("red"))


@at
async def test_red_stands_before_yellow_whoever_came_first(server):
    red, yellow, _ = await start_game(server)
    await red.close()
    await yellow.expect(present("yellow"))
    red = await come_back(server, red)
    await yellow.expect(present("red", "yellow"))
    assert (await hear(red))[-1] == present("red", "yellow")


@at
async def test_base_clients_are_counted_but_not_told(server):
    red, init = await server.start(**V2)
    yellow = await server.join(init["code"])
    await yellow.expect_nothing()
    spectator = await server.watch(init["watch"])
    await spectator.expect_nothing()
    assert (await hear(red))[-2:] == [
        present("red", "yellow"),
        present("red", "yellow", spectators=1),
    ]
    await yellow.close()
    await red.expect(present("red", open=["yellow"], spectators=1), waiting())
    await spectator.expect_nothing()
    await spectator.close()
    await red.expect(present("red", open=["yellow"]))


@at
async def test_presence_is_not_sent_when_nobody_comes_or_goes(server):
    red, yellow, init = await start_game(server)
    await play_all(red, yellow, [3, 4])
    await yellow.play(5)
    await yellow.expect(NOT_YOUR_TURN)
    silent = await server.connect(**V2)
    for key in (yellow.init["rejoin"], init["rejoin"], init["watch"] + "x"):
        third = await server.join(key, **V2)
        await third.expect_error()
        await third.expect_close(1000)
    await silent.close()
    for player in (red, yellow):
        assert await hear(player) == []


@at
async def test_presence_of_another_game_is_not_sent(server):
    red, yellow, _ = await start_game(server)
    await watch_game(server, *(await start_game(server))[:2])
    for player in (red, yellow):
        assert await hear(player) == []


# When presence is not announced at once


async def test_crowd_costs_each_spectator_a_few_events(server):
    red, yellow, init = await start_game(server)
    begun = time.monotonic()
    for number in range(1, 51):
        spectator = await server.watch(init["watch"], **V2)
        # Whoever comes is told at once. The others would take 10 s for this.
        assert await hear_presence(spectator) == present(
            "red", "yellow", spectators=number
        )
    assert time.monotonic() - begun < 5
    count = 0
    while (await hear_presence(red))["spectators"] < 50:
        count += 1
    assert count <= 1 + (time.monotonic() - begun) / 0.2
    while (await hear_presence(yellow))["spectators"] < 50:
        pass
    await red.expect_nothing()


@at
async def test_others_are_told_by_one_tick_after_a_change_and_not_at_once(
    server, monkeypatch
):
    red, yellow, init = await start_game(server)
    monkeypatch.setattr(app, "PRESENCE_INTERVAL", 1)
    spectator = await server.watch(init["watch"], **V2)
    told = present("red", "yellow", spectators=1)
    assert await hear_presence(spectator) == told
    for player in (red, yellow):
        assert await hear(player) == []
    for player in (red, yellow):
        await player.expect(told)


@at
async def test_each_is_told_only_if_it_differs_from_what_they_were_told(
    server, monkeypatch
):
    red, yellow, _ = await start_game(server)
    old = await watch_game(server, red, yellow)
    monkeypatch.setattr(app, "PRESENCE_INTERVAL", 1)
    # Of one who comes and goes between two ticks nobody hears.
    away = await come_back(server, old)
    assert await hear_presence(away) == present("red", "yellow", spectators=2)
    async with server.departure():
        await away.close()
    new = await come_back(server, old)
    two = present("red", "yellow", spectators=2)
    assert await hear_presence(new) == two
    for client in (red, yellow, old):
        assert await hear_presence(client) == two
    async with server.departure():
        await old.close()
    for client in (red, yellow, new):
        assert await hear_presence(client) == present("red", "yellow", spectators=1)
        await client.expect_nothing()
