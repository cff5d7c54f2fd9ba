"""Tests of the wire contract: what a client sees of the server."""

import asyncio
import contextlib
import json
import socket

import pytest
from websockets.exceptions import ConnectionClosed

import app
from helpers import DRAWN, RED_WINS, TIMEOUT, Server, forgotten, played


async def play_all(red, yellow, columns):
    """Play whole moves; both players receive them."""
    for number, column in enumerate(columns):
        await (yellow if number % 2 else red).play(column)
        for player in (red, yellow):
            await player.expect(played(*columns[: number + 1])[-1])


async def start_and_join(server):
    """Return both players of a new game, and its init event."""
    red, init = await server.start()
    yellow = await server.join(init["join"])
    await yellow.expect_nothing()
    return red, yellow, init


# Starting, joining, watching


async def test_starting_gives_two_different_keys(server):
    _, init = await server.start()
    assert init.keys() == {"type", "join", "watch"}
    assert init["join"] != init["watch"]
    assert all(len(init[name]) == 16 for name in ("join", "watch"))


async def test_joining_and_watching_are_not_answered(server):
    red, yellow, init = await start_and_join(server)
    spectator = await server.watch(init["watch"])
    for client in (red, yellow, spectator):
        await client.expect_nothing()


async def test_first_player_may_move_before_the_second_has_joined(server):
    red, init = await server.start()
    await red.play(3)
    await red.expect(*played(3))
    yellow = await server.join(init["join"])
    await yellow.expect(*played(3))


async def test_everybody_sees_each_move_once(server):
    red, yellow, init = await start_and_join(server)
    spectator = await server.watch(init["watch"])
    await play_all(red, yellow, [3, 3, 4])
    await spectator.expect(*played(3, 3, 4))
    for client in (red, yellow, spectator):
        await client.expect_nothing()


async def test_win_follows_the_winning_move(server):
    red, yellow, init = await start_and_join(server)
    spectator = await server.watch(init["watch"])
    await play_all(red, yellow, RED_WINS)
    await spectator.expect(*played(*RED_WINS))
    for client in (red, yellow, spectator):
        await client.expect({"type": "win", "player": "red"})
        await client.expect_nothing()


async def test_win_of_the_second_player_is_announced(server):
    red, yellow, _ = await start_and_join(server)
    await play_all(red, yellow, [6, *RED_WINS])
    await red.expect({"type": "win", "player": "yellow"})


async def test_late_spectator_sees_all_moves_and_who_won(server):
    red, yellow, init = await start_and_join(server)
    await play_all(red, yellow, RED_WINS)
    spectator = await server.watch(init["watch"])
    await spectator.expect(*played(*RED_WINS), {"type": "win", "player": "red"})
    await spectator.expect_nothing()


async def test_base_client_is_not_told_of_a_draw(server):
    red, yellow, init = await start_and_join(server)
    await play_all(red, yellow, DRAWN)
    spectator = await server.watch(init["watch"])
    await spectator.expect(*played(*DRAWN))
    for client in (red, yellow, spectator):
        await client.expect_nothing()


async def test_join_key_counts_where_both_are_given(server):
    red, init = await server.start()
    client = await server.connect()
    await client.send({**init, "type": "init"})
    await red.play(0)
    await client.expect(*played(0))
    await client.play(0)
    await client.expect(played(0, 0)[1])


async def test_games_do_not_disturb_each_other(server):
    red, yellow, _ = await start_and_join(server)
    red2, yellow2, _ = await start_and_join(server)
    await play_all(red, yellow, [0, 1])
    await play_all(red2, yellow2, [5, 6])
    for client in (red, yellow, red2, yellow2):
        await client.expect_nothing()


async def test_client_of_an_unknown_subprotocol_is_a_base_client(server):
    red, init = await server.start(subprotocols=["chat", "connect4.v99"])
    assert red.websocket.subprotocol is None
    assert init.keys() == {"type", "join", "watch"}
    await red.expect_nothing()


# What is refused

NOT_EXPECTED = {
    "empty": "",
    "not JSON": "hello",
    "half JSON": '{"type": "play", "column": 3',
    "number": "3",
    "string": '"play"',
    "null": "null",
    "array": '[{"type": "play", "column": 3}]',
    "no type": '{"column": 3}',
    "null type": '{"type": null}',
    "object as type": '{"type": {"type": "play"}}',
    "unknown type": '{"type": "resign"}',
    "second init": '{"type": "init"}',
    "server's event": '{"type": "win", "player": "red"}',
    "extension's rematch": '{"type": "rematch"}',
    "extension's ping": '{"type": "ping"}',
    "binary": b'{"type": "play", "column": 3}',
    "binary garbage": b"\x00\xff\xfe",
    "deep nesting": "[" * 1024,
    "deep nesting of objects": '{"a":' * 200,
    "long number": "1" * 1024,
    "not a number": "NaN",
    "lone surrogate": '{"type": "\\ud800"}',
    "just within the limit": '"' + "x" * 1022 + '"',
}

BAD_COLUMNS = {
    "below": "-1",
    "above": "7",
    "true": "true",
    "false": "false",
    "float": "3.0",
    "string": '"3"',
    "null": "null",
    "array": "[3]",
    "object": "{}",
    "long number": "9" * 990,
    "exponent": "1e999",
    "infinity": "Infinity",
}


@pytest.mark.parametrize("message", NOT_EXPECTED.values(), ids=NOT_EXPECTED)
async def test_unexpected_message_of_a_player_is_refused(server, message):
    red, yellow, _ = await start_and_join(server)
    await red.send(message)
    assert len((await red.expect_error())["message"].split()) > 3
    await yellow.expect_nothing()
    await play_all(red, yellow, [3])


@pytest.mark.parametrize("message", NOT_EXPECTED.values(), ids=NOT_EXPECTED)
async def test_unexpected_message_of_a_spectator_is_refused(server, message):
    red, yellow, init = await start_and_join(server)
    spectator = await server.watch(init["watch"])
    await spectator.send(message)
    assert len((await spectator.expect_error())["message"].split()) > 3
    await red.expect_nothing()
    await play_all(red, yellow, [3])
    await spectator.expect(*played(3))


async def test_move_of_a_spectator_is_refused(server):
    red, yellow, init = await start_and_join(server)
    spectator = await server.watch(init["watch"])
    await spectator.play(3)
    await spectator.expect_error("watching")
    await play_all(red, yellow, [3])
    await spectator.expect(*played(3))


@pytest.mark.parametrize("column", BAD_COLUMNS.values(), ids=BAD_COLUMNS)
async def test_column_that_is_none_is_refused_with_the_range(server, column):
    red, yellow, _ = await start_and_join(server)
    await red.send(f'{{"type": "play", "column": {column}}}')
    await red.expect_error("from 0 to 6")
    await yellow.expect_nothing()
    await play_all(red, yellow, [3])


async def test_missing_column_is_refused_with_the_range(server):
    red, _ = await server.start()
    await red.send({"type": "play"})
    await red.expect_error("from 0 to 6")


@pytest.mark.parametrize(
    ("columns", "player", "column", "message"),
    [
        ([], "yellow", 3, "It isn't your turn."),
        ([3], "red", 3, "It isn't your turn."),
        ([0, 0, 0, 0, 0, 0], "red", 0, "This slot is full."),
        (RED_WINS, "yellow", 3, "The game is over."),
        (DRAWN, "red", 3, "The game is over."),
        # The order of checks: valid event, game over, turn, full.
        ([3], "red", 7, "A column is an integer from 0 to 6."),
        (RED_WINS, "yellow", 7, "A column is an integer from 0 to 6."),
        (RED_WINS, "red", 3, "The game is over."),
        (DRAWN, "yellow", 0, "The game is over."),
        ([0, 0, 0, 0, 0, 0], "yellow", 0, "It isn't your turn."),
    ],
)
async def test_illegal_move_is_refused(server, columns, player, column, message):
    red, yellow, init = await start_and_join(server)
    await play_all(red, yellow, columns)
    if columns == RED_WINS:
        await red.receive()
        await yellow.receive()
    mover, other = (red, yellow) if player == "red" else (yellow, red)
    await mover.play(column)
    await mover.expect({"type": "error", "message": message})
    await mover.expect_nothing()
    await other.expect_nothing()
    spectator = await server.watch(init["watch"])
    await spectator.expect(*played(*columns))


NO_INIT = {
    **NOT_EXPECTED,
    "second init": '{"type": "play", "column": 3}',
    "number as join key": '{"type": "init", "join": 3}',
    "null as join key": '{"type": "init", "join": null}',
    "array as watch key": '{"type": "init", "watch": ["a"]}',
    "object as watch key": '{"type": "init", "watch": {}}',
    "one bad key": '{"type": "init", "join": "a", "watch": true}',
}


@pytest.mark.parametrize("message", NO_INIT.values(), ids=NO_INIT)
async def test_first_message_that_is_not_init_closes_the_connection(server, message):
    client = await server.connect()
    await client.send(message)
    assert len((await client.expect_error())["message"].split()) > 3
    await client.expect_close(1008)


async def test_silence_closes_the_connection(server, monkeypatch):
    monkeypatch.setattr(app, "INIT_TIMEOUT", 0.05)
    client = await server.connect()
    await client.expect_error("in time")
    await client.expect_close(1008)


@pytest.mark.parametrize("name", ["join", "watch"])
@pytest.mark.parametrize("key", ["", "x" * 16, "__class__", "\ud800", "é" * 20])
async def test_unknown_key_closes_the_connection(server, name, key):
    client = await server.connect()
    await client.send({"type": "init", name: key})
    await client.expect({"type": "error", "message": "Game not found."})
    await client.expect_close(1000)


async def test_keys_are_not_interchangeable(server):
    _, init = await server.start()
    for name, key in [("join", init["watch"]), ("watch", init["join"])]:
        client = await server.connect()
        await client.send({"type": "init", name: key})
        await client.expect({"type": "error", "message": "Game not found."})
        await client.expect_close(1000)


@pytest.mark.parametrize("fragments", [1, 3])
async def test_message_of_more_than_1_kib_closes_the_connection(server, fragments):
    red, yellow, _ = await start_and_join(server)
    message = "x" * 1025
    size = len(message) // fragments + 1
    await red.websocket.send(
        [message[i : i + size] for i in range(0, len(message), size)]
    )
    await red.expect_close(1009)
    await yellow.expect_nothing()


async def test_text_that_is_not_utf_8_closes_the_connection(server):
    red, yellow, _ = await start_and_join(server)
    await red.websocket.send(b'{"type": "\xff"}', text=True)
    await red.expect_close(1007)
    await yellow.expect_nothing()


# Seats and lifetime


async def test_taken_seat_is_refused_and_nobody_else_notices(server):
    red, yellow, init = await start_and_join(server)
    third = await server.join(init["join"])
    await third.expect_error("already has this player")
    await third.expect_close(1000)
    await play_all(red, yellow, [3, 4])
    for player in (red, yellow):
        await player.expect_nothing()


@pytest.mark.parametrize("way", ["close", "vanish"])
async def test_player_who_left_comes_back_to_the_game(server, way):
    red, yellow, init = await start_and_join(server)
    await play_all(red, yellow, [3, 4])
    await yellow.close() if way == "close" else yellow.vanish()
    await red.play(5)
    await red.expect(played(3, 4, 5)[-1])
    yellow = await server.join(init["join"])
    await yellow.expect(*played(3, 4, 5))
    await yellow.play(6)
    for player in (red, yellow):
        await player.expect(played(3, 4, 5, 6)[-1])


async def test_connection_that_gives_no_sign_of_life_loses_its_seat(
    server, monkeypatch
):
    monkeypatch.setattr(app, "PROBE_TIMEOUT", 0.1)
    red, yellow, init = await start_and_join(server)
    yellow.websocket.transport.pause_reading()
    newcomer = await server.join(init["join"])
    await newcomer.expect_nothing()
    await play_all(red, newcomer, [3, 4])
    yellow.websocket.transport.resume_reading()
    async with asyncio.timeout(TIMEOUT):
        await yellow.websocket.wait_closed()
    await newcomer.expect_nothing()


async def test_only_one_of_many_newcomers_gets_the_seat_of_a_dead_connection(
    server, monkeypatch
):
    monkeypatch.setattr(app, "PROBE_TIMEOUT", 0.1)
    red, yellow, init = await start_and_join(server)
    yellow.websocket.transport.pause_reading()
    newcomers = [await server.join(init["join"]) for _ in range(5)]
    await red.play(3)
    events = [await newcomer.receive() for newcomer in newcomers]
    assert sorted(event["type"] for event in events) == ["error"] * 4 + ["play"]
    yellow.vanish()


@pytest.mark.parametrize("first", ["", '{"type": "play", "column": 9}'])
async def test_move_that_comes_right_before_the_end_counts(server, first):
    red, yellow, _ = await start_and_join(server)
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
    red, yellow, init = await start_and_join(server)
    await play_all(red, yellow, [3])
    await red.close()
    await yellow.play(4)
    await yellow.expect(played(3, 4)[-1])
    spectator = await server.watch(init["watch"])
    await spectator.expect(*played(3, 4))


async def test_game_is_forgotten_when_no_player_is_connected(server):
    red, yellow, init = await start_and_join(server)
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
    red, yellow, _ = await start_and_join(server)
    other, _ = await server.start()
    async with server.departure():
        await other.close()
    assert len(app.WATCH) == 1
    await play_all(red, yellow, [3])


STATES = ["connected", "waiting", "playing", "joined", "watching", "won", "refused"]


@pytest.mark.parametrize("state", STATES)
async def test_connection_may_end_abruptly_in_each_state(server, state):
    red, yellow, init = await start_and_join(server)
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
    red, yellow, init = await start_and_join(server)
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


async def test_stopping_closes_every_connection_with_1001():
    async with app.serve_games("127.0.0.1", 0) as games:
        server = Server(games)
        red, init = await server.start()
        yellow = await server.join(init["join"])
        spectator = await server.watch(init["watch"])
        silent = await server.connect()
        await yellow.expect_nothing()
        await spectator.expect_nothing()
    for client in (red, yellow, spectator, silent):
        await client.expect_close(1001)
    await forgotten()


# Many at once


async def test_300_spectators_who_join_meanwhile_see_each_move_once_in_order(server):
    red, yellow, init = await start_and_join(server)

    async def watch():
        spectator = await server.watch(init["watch"])
        events = [await spectator.receive() for _ in DRAWN]
        assert events == played(*DRAWN)
        await spectator.expect_nothing()

    async with asyncio.TaskGroup() as spectators:
        for number in range(len(DRAWN)):
            for _ in range(300 // len(DRAWN) + 1):
                spectators.create_task(watch())
            player = yellow if number % 2 else red
            await player.play(DRAWN[number])
            await red.receive()
            await yellow.receive()
