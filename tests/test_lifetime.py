"""
Tests of how long connections and matches live, and of what the server bounds.

With the figures of the contract, unless a test says so.

"""

import asyncio
import contextlib
import socket
import time

import pytest
from websockets.exceptions import ConnectionClosed

import app
import serving
from events import NOT_FOUND, PING, PONG, played, present, started
from helpers import TIMEOUT, V2, expect_all, left_matches, play_moves


def test_figures_are_those_of_the_contract():
    assert app.GRACE_PERIOD == 24 * 60 * 60
    assert app.INIT_TIMEOUT == 10
    assert app.MAX_KEPT == 10_000
    assert app.SAVE_INTERVAL == app.PRESENCE_INTERVAL == 0.2
    assert serving.PROBE_TIMEOUT == 2


def connection_of(server, client):
    """Return the server's end of a connection."""
    ends = {end.remote_address: end for end in server.server.connections}
    return ends[client.websocket.local_address]


# Connections


async def test_move_that_comes_right_before_the_end_counts(server):
    red, yellow, _ = await server.start_base_game()
    await red.play(3)
    # All of it arrives at once. The answer to the first doesn't.
    yellow.freeze()
    protocol = yellow.websocket.protocol
    protocol.send_text(b'{"type": "play", "column": 9}')
    protocol.send_text(b'{"type": "play", "column": 4}')
    protocol.send_close(1000)
    yellow.websocket.transport.write(b"".join(protocol.data_to_send()))
    await red.expect(*played(3, 4))
    yellow.vanish()


async def test_write_that_fails_harms_neither_the_mover_nor_the_others(
    server, monkeypatch
):
    red, yellow, broken = await server.start_base_game()
    last = await server.watch(red.init["watch"])
    await expect_all([last])

    def write(data):
        raise RuntimeError("unable to perform operation on the transport")

    monkeypatch.setattr(connection_of(server, broken).transport, "write", write)
    await play_moves(red, yellow, [3, 4])
    await expect_all([last], *played(3, 4))
    monkeypatch.undo()


async def test_who_comes_back_while_the_old_connection_closes_has_the_seat(server):
    _, yellow = await server.start_game()
    yellow.freeze()
    closing = asyncio.create_task(connection_of(server, yellow).close())
    back = await server.come_back(yellow)
    await back.expect(yellow.init, started(), present("red", "yellow"))
    yellow.thaw()
    await closing


async def test_client_that_does_not_read_is_dropped(server):
    red, yellow, _ = await server.start_base_game()
    # The systems of both keep little.
    sock = socket.socket()
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    sock.connect(("127.0.0.1", server.port))
    frozen = await server.watch(red.init["watch"], sock=sock)
    await expect_all([frozen])
    transport = connection_of(server, frozen).transport
    buffer = socket.SOL_SOCKET, socket.SO_SNDBUF, 4096
    transport.get_extra_info("socket").setsockopt(*buffer)
    assert transport.get_write_buffer_limits()[1] == 64 * 1024
    frozen.freeze()
    # Each refused message is answered.
    async with asyncio.timeout(TIMEOUT), server.departure():
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
    # By these, the library notices in 18 seconds that somebody is gone.
    times = connection.ping_interval, connection.ping_timeout, connection.close_timeout
    assert times == (10, 7, 1)


async def test_each_message_of_a_flood_takes_a_turn_of_its_own(server):
    flooder, _ = await server.start(**V2)
    await flooder.hear()
    turns = 0

    async def count_turns():
        nonlocal turns
        while True:
            await asyncio.sleep(0)
            turns += 1

    counting = asyncio.create_task(count_turns())
    for _ in range(500):
        await flooder.send(PING)
    await flooder.expect(*[PONG] * 500)
    counting.cancel()
    assert turns >= 500


# Matches


async def start_and_leave(server, *columns):
    """Start a match, play in these columns, leave, and return the match."""
    red, yellow = await server.start_game()
    await play_moves(red, yellow, columns)
    spectator = await server.watch_game(red, yellow)
    match = app.WATCH[red.init["watch"]]
    for client in (red, yellow, spectator):
        assert match.connected
        await server.leave(client)
    return match


@pytest.mark.parametrize(("more", "kept"), [(-60, True), (60, False)])
async def test_match_is_kept_for_a_day_with_all_its_keys(server, more, kept):
    match = await start_and_leave(server)
    match.left -= app.GRACE_PERIOD + more
    app.forget_old()
    keys = {"join": [*match.keys.values(), match.code]}
    keys["watch"] = [match.watch_key, match.code]
    for way in keys:
        for key in keys[way]:
            event = await (await server.enter({way: key}, **V2)).receive()
            assert (event["type"] == "init") if kept else (event == NOT_FOUND)


async def test_match_with_an_open_seat_is_forgotten_before_those_left_longer_ago(
    server, monkeypatch
):
    old = await start_and_leave(server)
    # A seat is open until somebody has moved there.
    full, first, second = [
        await start_and_leave(server, *moves) for moves in ([3, 4], [3], [])
    ]
    # One who watches is one who is here. Who has come back and gone has left last.
    back = await server.watch(first.watch_key, **V2)
    await back.receive("presence")
    first.left -= app.GRACE_PERIOD + 60
    app.forget_old()
    await server.leave(back)
    # What is too old doesn't count as too many.
    old.left -= app.GRACE_PERIOD + 60
    for number in range(4):
        monkeypatch.setattr(app, "MAX_KEPT", 3 - number)
        app.forget_old()
        assert left_matches() == {*[second, first, full][number:]}


async def test_match_that_a_base_client_started_is_forgotten_with_the_last_player(
    server,
):
    red, init = await server.start()
    yellow = await server.join(init["join"])
    pages = [await server.watch(init["watch"], **V2) for _ in range(3)]
    await expect_all([base := await server.watch(init["watch"])])
    await server.leave(red)
    await expect_all([yellow, base])
    for frozen in pages[1:]:
        frozen.freeze()
    begun = time.monotonic()
    await yellow.close()
    for client in (pages[0], base):
        event = await client.receive("error")
        assert "gone" in event["message"]
        await client.expect_close(1000)
    # A client that has frozen takes the whole second of close_timeout, and is closed
    # at the same time as the others.
    assert time.monotonic() - begun < 1
    assert (app.JOIN, app.WATCH) == ({}, {})
    for frozen in pages[1:]:
        frozen.thaw()
        await frozen.expect_close(1000)
