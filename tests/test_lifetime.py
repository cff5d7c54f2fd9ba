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
    come_back,
    forget_all,
    hear,
    play_all,
    played,
    present,
    serve,
    start_base_game,
    start_game,
    stop,
    watch_game,
)

pytestmark = pytest.mark.usefixtures("at_once")


def connection_of(server, client):
    """Return the server's end of a connection."""
    (connection,) = [
        connection
        for connection in server.server.connections
        if connection.remote_address == client.websocket.local_address
    ]
    return connection


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
    yellow.vanish()


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


async def test_write_that_fails_harms_neither_the_mover_nor_the_others(
    server, monkeypatch
):
    red, yellow, init = await start_base_game(server)
    spectators = [await server.watch(init["watch"]) for _ in range(3)]
    for spectator in spectators:
        await spectator.expect_nothing()

    def write(data):
        raise RuntimeError("unable to perform operation on the transport")

    transport = connection_of(server, spectators.pop(1)).transport
    monkeypatch.setattr(transport, "write", write)
    await play_all(red, yellow, [3, 4])
    for spectator in spectators:
        await spectator.expect(*played(3, 4))
    monkeypatch.undo()


async def test_client_that_does_not_read_is_dropped(server):
    red, yellow, init = await start_base_game(server)
    spectator = await server.watch(init["watch"])
    await spectator.expect_nothing()
    connection = connection_of(server, spectator)
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


async def test_match_counts_as_left_when_the_last_connection_has_ended(server):
    red, yellow, _ = await start_game(server)
    spectator = await watch_game(server, red, yellow)
    match = app.WATCH[red.init["watch"]]
    for client in (red, spectator, yellow):
        assert match not in app.LEFT
        async with server.departure():
            await client.close()
    left = app.LEFT[match]
    for client in (yellow, spectator):
        back = await come_back(server, client)
        await hear(back)
        assert match not in app.LEFT
        async with server.departure():
            await back.close()
        assert app.LEFT[match] > left


# For how long a match was left, and whether it's still there.
AGES = [(app.GRACE_PERIOD - 60, True), (app.GRACE_PERIOD + 60, False)]


@pytest.mark.parametrize(("age", "kept"), AGES)
async def test_match_is_kept_for_a_day_with_all_its_keys(server, age, kept):
    red, yellow, init = await start_game(server)
    for client in (red, yellow):
        async with server.departure():
            await client.close()
    (match,) = app.LEFT
    app.LEFT[match] -= age
    app.forget_old()
    keys = {"join": [init["rejoin"], yellow.init["rejoin"], init["code"]]}
    keys["watch"] = [init["watch"], init["code"]]
    for role in keys:
        for key in keys[role]:
            client = await server.connect(**V2)
            await client.send({"type": "init", role: key})
            event = await client.receive()
            assert (event["type"] == "init") if kept else (event == NOT_FOUND)


async def test_match_with_a_spectator_is_not_forgotten(server, monkeypatch):
    monkeypatch.setattr(app, "GRACE_PERIOD", -1)
    red, _ = await server.start(**V2)
    spectator = await watch_game(server, red)
    await red.close()
    await spectator.expect(present(open=["yellow"], spectators=1))
    app.forget_old()
    assert await hear(spectator) == []


async def test_match_that_a_base_client_started_is_forgotten_at_once(server):
    red, init = await server.start()
    yellow = await server.join(init["join"], **V2)
    spectator = await server.watch(init["watch"], **V2)
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
    games = await serve()
    server = Server(games)
    red, yellow, _ = await start_game(server)
    spectator = await watch_game(server, red, yellow)
    _, other = await server.start(**V2)
    silent = await server.connect(**V2)
    # Somebody arrives just now.
    newcomer = await server.connect(**V2)
    key = {name: other["code"]} if name else {}
    await newcomer.send({"type": "init", **key})
    await stop(games)
    for client in (red, yellow, spectator, silent, newcomer):
        await client.expect_close(1001)
    forget_all()
