"""Tests of how long connections and games live, and of how they end."""

import asyncio
import contextlib
import json
import socket

import pytest
from websockets.exceptions import ConnectionClosed

import app
from helpers import (
    NOT_FOUND,
    TIMEOUT,
    V2,
    Server,
    come,
    forgotten,
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


@pytest.mark.parametrize("first", ["", '{"type": "play", "column": 9}'])
async def test_move_that_comes_right_before_the_end_counts(server, first):
    red, yellow, _ = await start_base_game(server)
    # All of it arrives at once.
    yellow.websocket.transport.pause_reading()
    await red.play(3)
    await red.expect(*played(3))
    protocol = yellow.websocket.protocol
    if first:
        protocol.send_text(first.encode())
    protocol.send_text(b'{"type": "play", "column": 4}')
    protocol.send_close(1000)
    yellow.websocket.transport.write(b"".join(protocol.data_to_send()))
    await red.expect(played(3, 4)[-1])


async def test_connection_may_end_abruptly_in_each_state(server):
    red, yellow, init = await start_base_game(server)
    silent = await server.connect()
    waiting, _ = await server.start()
    spectator = await server.watch(init["watch"])
    await spectator.expect_nothing()
    refused = await server.connect()
    await red.play(3)
    await refused.send({"type": "init", "join": init["join"]})
    for client in (refused, silent, waiting, spectator, red):
        async with server.departure():
            client.vanish()
    # The game of the others goes on.
    assert len(app.JOIN) == len(app.WATCH) == 1
    await yellow.play(4)
    await yellow.expect(*played(3, 4))


async def test_client_that_does_not_read_is_dropped(server):
    red, yellow, init = await start_base_game(server)
    spectator = await server.watch(init["watch"])
    await spectator.expect_nothing()
    (connection,) = [
        connection
        for connection in server.server.connections
        if connection.remote_address == spectator.websocket.local_address
    ]
    assert connection.transport.get_write_buffer_limits()[1] == 64 * 1024
    spectator.websocket.transport.pause_reading()
    # Each refused message is answered, until the system's buffer is full too.
    system = connection.transport.get_extra_info("socket")
    system.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
    message = json.dumps({"type": "play", "column": 3})
    async with asyncio.timeout(TIMEOUT), server.departure():
        with contextlib.suppress(ConnectionClosed):
            while True:
                await spectator.send(message)
    await play_all(red, yellow, [3, 4])


@pytest.mark.parametrize("options", [V2, {}], ids=["extension", "base"])
@pytest.mark.parametrize("last", ["red", "yellow"])
async def test_game_waits_for_its_players_to_come_back(
    server, long_grace, last, options
):
    red, init = await server.start(**V2)
    yellow = await server.join(init["join"], **options)
    spectator = await come(server, "spectator", init)
    await hear(spectator)
    await red.play(3)
    await spectator.expect(*played(3))
    first = sitting(last, "yellow", "red")
    await sitting(first, red, yellow).close()
    await spectator.expect(present(last, spectators=1))
    assert not app.FORSAKEN
    await sitting(last, red, yellow).close()
    await spectator.expect(present(spectators=1))
    (timer,) = app.FORSAKEN.values()
    late = await come(server, "spectator", init)
    past = [started(), *played(3)]
    assert await hear(late) == [*past, present(spectators=2)]
    for player, who in [(last, [last]), (first, ["red", "yellow"])]:
        back = await come(server, player, init)
        told = present(*who, spectators=2)
        assert await hear(back) == [seat_of(player, init), *past, told]
        await late.expect(told)
        assert timer.cancelled()


async def test_game_is_forgotten_when_the_grace_period_is_over(server, monkeypatch):
    monkeypatch.setattr(app, "GRACE_PERIOD", 0.2)
    red, init = await server.start(**V2)
    spectator = await server.watch(init["watch"])
    await spectator.expect_nothing()
    loop = asyncio.get_running_loop()
    begun = loop.time()
    await red.close()
    # Those who watch meanwhile, or leave, don't change how long it is kept.
    async with asyncio.timeout(TIMEOUT):
        while app.WATCH:
            visitor = await come(server, "spectator", init)
            await visitor.receive()
            await visitor.close()
    # The clock of the event loop is not exact to the last digit.
    assert loop.time() - begun > 0.19
    await spectator.expect_error("gone")
    await spectator.expect_close(1000)


async def test_keys_of_a_forgotten_game_are_unknown(server):
    red, init = await server.start(**V2)
    async with server.departure():
        await red.close()
    for role, name in [("join", "join"), ("join", "rejoin"), ("watch", "watch")]:
        client = await server.connect(**V2)
        await client.send({"type": "init", role: init[name]})
        await client.expect(NOT_FOUND)
        await client.expect_close(1000)


async def test_game_that_a_base_client_started_is_forgotten_at_once(server, long_grace):
    red, init = await server.start()
    yellow = await server.join(init["join"], **V2)
    spectator = await come(server, "spectator", init)
    base = await server.watch(init["watch"])
    await base.expect_nothing()
    await red.play(3)
    async with server.departure():
        await red.close()
    await yellow.play(4)
    assert (await hear(spectator))[-1] == played(3, 4)[-1]
    await base.expect(*played(3, 4))
    await yellow.close()
    for client in (spectator, base):
        await client.expect_error("gone")
        await client.expect_close(1000)
    assert (app.JOIN, app.WATCH) == ({}, {})


@pytest.mark.parametrize("name", [None, "join", "watch"])
async def test_stopping_closes_every_connection_with_1001(name):
    async with app.serve_games("127.0.0.1", 0) as games:
        server = Server(games)
        red, yellow, init = await start_game(server)
        spectator = await come(server, "spectator", init)
        await hear(spectator)
        _, other = await server.start(**V2)
        silent = await server.connect(**V2)
        # Somebody arrives just now.
        newcomer = await server.connect(**V2)
        await newcomer.send({"type": "init", **({name: other[name]} if name else {})})
    for client in (red, yellow, spectator, silent, newcomer):
        await client.expect_close(1001)
    await forgotten()
    assert (app.JOIN, app.WATCH) == ({}, {})


async def test_stopping_is_quiet_while_a_seat_is_probed():
    async with app.serve_games("127.0.0.1", 0) as games:
        server = Server(games)
        red, init = await server.start(**V2)
        spectator = await come(server, "spectator", init)
        red.websocket.transport.pause_reading()
        newcomer = await come(server, "red", init)
        # The probe has begun when this is answered.
        await hear(spectator)
    await newcomer.expect_close(1001)
    red.vanish()
    await forgotten()
    assert (app.JOIN, app.WATCH) == ({}, {})
