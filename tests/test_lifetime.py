"""
Tests of how long connections and matches live, and of what the server bounds.

With the figures of the contract, unless a test says so.

"""

import asyncio
import contextlib
import json
import socket
import time

import pytest
from websockets.exceptions import ConnectionClosed

import app
import serving
from helpers import (
    NOT_FOUND,
    PING,
    PONG,
    TIMEOUT,
    V2,
    Server,
    expect_all,
    forget_all,
    play_moves,
    played,
    present,
    serve,
    stop,
)


def test_figures_are_those_of_the_contract():
    assert app.GRACE_PERIOD == 24 * 60 * 60
    assert app.INIT_TIMEOUT == 10
    assert app.MAX_KEPT == 10_000
    assert app.SAVE_INTERVAL == app.PRESENCE_INTERVAL == 0.2
    assert serving.PRESENCE_INTERVAL == 0.2
    assert serving.PROBE_TIMEOUT == 2


def connection_of(server, client):
    """Return the server's end of a connection."""
    (connection,) = [
        connection
        for connection in server.server.connections
        if connection.remote_address == client.websocket.local_address
    ]
    return connection


# Connections


@pytest.mark.parametrize("first", [b"", b'{"type": "play", "column": 9}'])
async def test_move_that_comes_right_before_the_end_counts(server, first):
    red, yellow, _ = await server.start_base_game()
    await red.play(3)
    # All of it arrives at once. The answer to the first doesn't.
    yellow.freeze()
    protocol = yellow.websocket.protocol
    if first:
        protocol.send_text(first)
    protocol.send_text(b'{"type": "play", "column": 4}')
    protocol.send_close(1000)
    yellow.websocket.transport.write(b"".join(protocol.data_to_send()))
    await red.expect(*played(3, 4))
    yellow.vanish()


async def test_connection_may_end_abruptly_in_each_state(server):
    red, yellow, spectator = await server.start_base_game()
    alone, _ = await server.start()
    silent = await server.connect()
    refused = await server.join(red.init["join"])
    for client in (refused, silent, alone, spectator, red):
        async with server.departure():
            client.vanish()
    # The game of the other goes on.
    assert len(app.JOIN) == len(app.WATCH) == 1
    await yellow.play(4)
    await yellow.expect_error("turn")


async def test_write_that_fails_harms_neither_the_mover_nor_the_others(
    server, monkeypatch
):
    red, yellow, _ = await server.start_base_game()
    spectators = [await server.watch(red.init["watch"]) for _ in range(3)]
    await expect_all(spectators)

    def write(data):
        raise RuntimeError("unable to perform operation on the transport")

    transport = connection_of(server, spectators.pop(1)).transport
    monkeypatch.setattr(transport, "write", write)
    await play_moves(red, yellow, [3, 4])
    await expect_all(spectators, *played(3, 4))
    monkeypatch.undo()


async def test_client_that_does_not_read_is_dropped(server):
    red, yellow, _ = await server.start_base_game()
    # The systems of both keep little.
    sock = socket.socket()
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    sock.connect(("127.0.0.1", server.port))
    frozen = await server.watch(red.init["watch"], sock=sock)
    await frozen.expect_nothing()
    transport = connection_of(server, frozen).transport
    system = transport.get_extra_info("socket")
    system.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
    assert transport.get_write_buffer_limits()[1] == 64 * 1024
    frozen.freeze()
    # Each refused message is answered.
    async with server.departure():
        with contextlib.suppress(ConnectionClosed):
            while True:
                await frozen.play(3)
    await play_moves(red, yellow, [3, 4])


async def test_nothing_of_a_handshake_is_kept_and_nothing_is_compressed(server):
    client = await server.connect("?watch=key", compression="deflate")
    assert "Sec-WebSocket-Extensions" not in client.websocket.response.headers
    await client.send({"type": "init"})
    await client.receive()
    (connection,) = server.server.connections
    assert (connection.request.path, [*connection.request.headers]) == ("", [])


async def test_flood_is_answered_in_many_turns(server):
    flooder, _ = await server.start(**V2)
    await flooder.hear()
    turns = 0

    async def count_turns():
        nonlocal turns
        while True:
            await asyncio.sleep(0)
            turns += 1

    counting = asyncio.create_task(count_turns())
    for _ in range(2000):
        await flooder.send(PING)
    await flooder.expect(*[PONG] * 2000)
    counting.cancel()
    assert turns >= 25


# Matches


async def start_and_leave(server, *columns):
    """Start a match, play in these columns, leave, and return the match."""
    red, yellow = await server.start_game()
    await play_moves(red, yellow, columns)
    match = app.WATCH[red.init["watch"]]
    await server.leave(red)
    assert match not in app.LEFT
    await server.leave(yellow)
    return match


async def test_match_counts_as_left_when_the_last_connection_has_ended(
    server, monkeypatch
):
    monkeypatch.setattr(app, "MAX_KEPT", 1)
    first, second = [await start_and_leave(server) for _ in range(2)]
    left = app.LEFT[first]
    # One who watches is one who is here.
    back = await server.watch(first.watch_key, **V2)
    await back.receive("presence")
    app.forget_old()
    assert {*app.LEFT} == {second}
    # Who has come back and gone has left last.
    await server.leave(back)
    assert app.LEFT[first] > left
    app.forget_old()
    assert {*app.LEFT} == {first}


@pytest.mark.parametrize(("more", "kept"), [(-60, True), (60, False)])
async def test_match_is_kept_for_a_day_with_all_its_keys(server, more, kept):
    match = await start_and_leave(server)
    app.LEFT[match] -= app.GRACE_PERIOD + more
    app.forget_old()
    keys = {"join": [*match.keys.values(), match.code]}
    keys["watch"] = [match.watch_key, match.code]
    for way in keys:
        for key in keys[way]:
            event = await (await server.enter({way: key}, **V2)).receive()
            assert (event["type"] == "init") if kept else (event == NOT_FOUND)


# How many moves were played in the matches, the one left longest ago first; and
# which of them are forgotten, one after the other, when too many are kept.
KEPT = [
    ([2, 2, 2, 2], [0, 1, 2, 3]),
    ([2, 1, 3, 0], [1, 3, 0, 2]),
]


@pytest.mark.parametrize(("moves", "order"), KEPT)
async def test_match_with_an_open_seat_is_forgotten_before_those_left_longer_ago(
    server, monkeypatch, moves, order
):
    # What is too old doesn't count as too many.
    old = await start_and_leave(server)
    app.LEFT[old] -= app.GRACE_PERIOD + 60
    matches = [await start_and_leave(server, *[3, 4, 5][:each]) for each in moves]
    for number in (4, 3, 2, 1, 0):
        monkeypatch.setattr(app, "MAX_KEPT", number)
        app.forget_old()
        assert {*app.LEFT} == {matches[each] for each in order[4 - number :]}


async def test_match_that_a_base_client_started_is_forgotten_with_the_last_player(
    server,
):
    red, init = await server.start()
    yellow = await server.join(init["join"], **V2)
    spectators = [await server.watch(init["watch"], **V2) for _ in range(3)]
    await expect_all([base := await server.watch(init["watch"])])
    await red.play(3)
    await server.leave(red)
    await yellow.play(4)
    await base.expect(*played(3, 4))
    await yellow.receive_until(played(3, 4)[1])
    for frozen in spectators[1:]:
        frozen.freeze()
    begun = time.monotonic()
    await yellow.close()
    await spectators[0].receive("error")
    await base.expect_error("gone")
    for client in (spectators[0], base):
        await client.expect_close(1000)
    # A client that has frozen takes the whole second of close_timeout, and is closed
    # at the same time as the others.
    assert time.monotonic() - begun < 1
    assert (app.JOIN, app.WATCH) == ({}, {})
    for frozen in spectators[1:]:
        frozen.thaw()
        await frozen.expect_close(1000)


async def test_stopping_closes_every_connection_with_1001():
    games = await serve()
    server = Server(games)
    red, yellow = await server.start_game()
    clients = [red, yellow, await server.watch_game(red, yellow)]
    _, other = await server.start(**V2)
    # Some say nothing, and some arrive just now.
    clients.append(await server.connect(**V2))
    for key in ({}, {"join": other["code"]}, {"watch": other["code"]}):
        clients.append(await server.enter(key, **V2))
    # For this one, the server waits for a sign of life of another.
    red.freeze()
    clients.append(await server.come_back(red))
    await stop(games)
    red.thaw()
    for client in clients:
        await client.expect_close(1001)
    forget_all()


@pytest.mark.slow
async def test_players_who_are_gone_are_noticed_in_the_time_that_is_promised(server):
    red, yellow = await server.start_game()
    lively = await server.watch_game(red, yellow)
    silent = await server.connect()
    begun = time.monotonic()

    async def next_event(client):
        """Return the next event, and when it came, however late."""
        event = json.loads(await client.websocket.recv())
        return event, time.monotonic() - begun

    yellow.freeze()
    async with asyncio.timeout(2 * TIMEOUT):
        (left, noticed), (late, refused) = await asyncio.gather(
            next_event(red), next_event(silent)
        )
    assert left == present("red", open=["yellow"], spectators=1)
    assert 16.5 <= noticed <= 18.5
    assert late["type"] == "error"
    assert 9.5 <= refused <= 11
    # Who answers pings stays, however long nothing happens.
    await lively.expect(left)
    yellow.vanish()
