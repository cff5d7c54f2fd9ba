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
    RED_WINS,
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


async def test_game_goes_on_while_the_first_player_is_away(server):
    red, yellow, init = await start_base_game(server)
    await play_all(red, yellow, [3])
    await red.close()
    await yellow.play(4)
    await yellow.expect(played(3, 4)[-1])
    spectator = await server.watch(init["watch"])
    await spectator.expect(*played(3, 4))


async def test_game_is_forgotten_when_no_player_is_connected(server):
    red, yellow, init = await start_base_game(server)
    spectator = await server.watch(init["watch"])
    await red.close()
    await spectator.expect_nothing()
    await yellow.close()
    await spectator.expect_error()
    await spectator.expect_close(1000)
    for role in (server.join, server.watch):
        client = await role(init["join" if role == server.join else "watch"])
        await client.expect({"type": "error", "message": "Game not found."})
        await client.expect_close(1000)


async def test_other_games_live_on_when_one_is_forgotten(server):
    red, yellow, _ = await start_base_game(server)
    other, _ = await server.start()
    async with server.departure():
        await other.close()
    assert len(app.WATCH) == 1
    await play_all(red, yellow, [3])


STATES = ["connected", "waiting", "playing", "joined", "watching", "won", "refused"]


@pytest.mark.parametrize("state", STATES)
async def test_connection_may_end_abruptly_in_each_state(server, state):
    red, yellow, init = await start_base_game(server)
    spectator = await server.watch(init["watch"])
    if state == "connected":
        client = await server.connect()
    elif state == "waiting":
        client, _ = await server.start()
    elif state == "playing":
        await red.play(3)
        client = red
    elif state == "joined":
        client = yellow
    elif state == "watching":
        client = spectator
    elif state == "won":
        await play_all(red, yellow, RED_WINS)
        client = red
    else:
        client = await server.join(init["join"])
    async with server.departure():
        client.vanish()
    assert len(app.JOIN) == len(app.WATCH) == 1


async def test_client_that_does_not_read_is_dropped(server):
    red, yellow, init = await start_base_game(server)
    spectator = await server.watch(init["watch"])
    await spectator.expect_nothing()
    (connection,) = [
        connection
        for connection in server.server.connections
        if connection.remote_address == spectator.websocket.local_address
    ]
    spectator.websocket.transport.pause_reading()
    # Each refused message is answered, until the system's buffer is full too.
    system = connection.transport.get_extra_info("socket")
    system.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
    message = json.dumps({"type": "play", "column": 3})
    async with asyncio.timeout(TIMEOUT), server.departure():
        with contextlib.suppress(ConnectionClosed):
            while True:
                await spectator.send(message)
                assert connection.transport.get_write_buffer_size() <= 64 * 1024
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
    await sitting(last, yellow, red).close()
    await spectator.expect(present(last, spectators=1))
    await sitting(last, red, yellow).close()
    await spectator.expect(present(spectators=1))
    for player, who in [("red", ["red"]), ("yellow", ["red", "yellow"])]:
        back = await come(server, player, init)
        told = present(*who, spectators=1)
        past = [seat_of(player, init), started(), *played(3)]
        assert await hear(back) == [*past, told]
        await spectator.expect(told)


async def test_spectator_may_come_while_no_player_is_here(server, long_grace):
    red, init = await server.start(**V2)
    first = await come(server, "spectator", init)
    await hear(first)
    red.vanish()
    await first.expect(present(spectators=1))
    second = await come(server, "spectator", init)
    assert await hear(second) == [started(), present(spectators=2)]
    await come(server, "red", init)
    await second.expect(present("red", spectators=2))


async def test_game_is_forgotten_when_nobody_comes_back_in_time(server, monkeypatch):
    monkeypatch.setattr(app, "GRACE_PERIOD", 0.05)
    red, yellow, init = await start_game(server)
    spectator = await come(server, "spectator", init)
    await hear(spectator)
    base = await server.watch(init["watch"])
    await spectator.expect(present("red", "yellow", spectators=2))
    await yellow.close()
    await spectator.expect(present("red", spectators=2))
    await red.close()
    await spectator.expect(present(spectators=2))
    for client in (spectator, base):
        await client.expect_error()
        await client.expect_close(1000)


@pytest.mark.parametrize("key", ["join", "rejoin", "watch"])
async def test_keys_of_a_forgotten_game_are_unknown(server, key):
    red, init = await server.start(**V2)
    async with server.departure():
        await red.close()
    client = await server.connect(**V2)
    await client.send(
        {"type": "init", "watch" if key == "watch" else "join": init[key]}
    )
    await client.expect(NOT_FOUND)
    await client.expect_close(1000)


async def test_game_is_kept_for_the_whole_grace_period(server, monkeypatch):
    monkeypatch.setattr(app, "GRACE_PERIOD", 0.2)
    red, init = await server.start(**V2)
    spectator = await come(server, "spectator", init)
    await hear(spectator)
    loop = asyncio.get_running_loop()
    beginning = loop.time()
    await red.close()
    await spectator.expect(present(spectators=1))
    await spectator.expect_error()
    # The clock of the event loop is not exact to the last digit.
    assert loop.time() - beginning > 0.19


async def test_spectators_who_come_and_go_do_not_change_how_long_a_game_is_kept(
    server, monkeypatch
):
    monkeypatch.setattr(app, "GRACE_PERIOD", 0.2)
    red, init = await server.start(**V2)
    loop = asyncio.get_running_loop()
    beginning = loop.time()
    await red.close()
    async with asyncio.timeout(TIMEOUT):
        while app.WATCH:
            spectator = await come(server, "spectator", init)
            await spectator.receive()
            await spectator.close()
    assert loop.time() - beginning > 0.19


@pytest.mark.parametrize("player", ["red", "yellow"])
async def test_player_who_comes_back_in_time_keeps_the_game(
    server, monkeypatch, player
):
    red, yellow, init = await start_game(server)
    spectator = await come(server, "spectator", init)
    await hear(spectator)
    # Long enough to come back on any machine; nobody waits for it to pass.
    monkeypatch.setattr(app, "GRACE_PERIOD", 3)
    await red.close()
    await yellow.close()
    await spectator.expect(present("yellow", spectators=1), present(spectators=1))
    monkeypatch.setattr(app, "GRACE_PERIOD", 0)
    monkeypatch.setattr(app, "PRESENCE_INTERVAL", 0)
    back = await come(server, player, init)
    told = [seat_of(player, init), started(), present(player, spectators=1)]
    assert await hear(back) == told
    await forgotten()
    assert len(app.WATCH) == 1
    assert await hear(back) == []
    assert await hear(spectator) == [present(player, spectators=1)]


async def test_game_is_kept_as_long_as_one_player_is_here(server):
    red, yellow, init = await start_game(server)
    async with server.departure():
        await red.close()
    await yellow.expect(present("yellow"))
    red = await come(server, "red", init)
    await yellow.expect(present("red", "yellow"))
    async with server.departure():
        await yellow.close()
    assert await hear(red) == [
        seat_of("red", init),
        started(),
        present("red", "yellow"),
        present("red"),
    ]


async def test_game_that_a_base_client_started_is_forgotten_at_once(server, long_grace):
    red, init = await server.start()
    yellow = await server.join(init["join"], **V2)
    spectator = await come(server, "spectator", init)
    assert (await hear(spectator))[-1] == present("red", "yellow", spectators=1)
    await red.close()
    await spectator.expect(present("yellow", spectators=1))
    async with server.departure():
        await yellow.close()
    await spectator.expect_error("gone")
    await spectator.expect_close(1000)
    assert (app.JOIN, app.WATCH) == ({}, {})


async def test_stopping_closes_every_connection_with_1001():
    async with app.serve_games("127.0.0.1", 0) as games:
        server = Server(games)
        red, yellow, init = await start_game(server)
        spectator = await come(server, "spectator", init)
        await hear(spectator)
        silent = await server.connect(**V2)
    for client in (red, yellow, spectator, silent):
        await client.expect_close(1001)
    await forgotten()
    assert (app.JOIN, app.WATCH) == ({}, {})


@pytest.mark.parametrize("who", ["first player", "second player", "spectator"])
async def test_stopping_is_quiet_while_somebody_arrives(who):
    async with app.serve_games("127.0.0.1", 0) as games:
        server = Server(games)
        red, init = await server.start(**V2)
        client = await server.connect(**V2)
        name = {"second player": "join", "spectator": "watch"}.get(who)
        await client.send({"type": "init", **({name: init[name]} if name else {})})
    for each in (red, client):
        await each.expect_close(1001)
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
