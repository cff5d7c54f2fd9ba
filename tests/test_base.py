"""Tests of the base protocol: what a client sees of the server."""

import asyncio

import pytest

import app
from helpers import (
    DRAWN,
    NOT_EXPECTED,
    NOT_FOUND,
    RED_WINS,
    play_all,
    played,
    start_base_game,
)

# Starting, joining, watching


async def test_starting_gives_two_different_keys(server):
    _, init = await server.start()
    assert init.keys() == {"type", "join", "watch"}
    assert init["join"] != init["watch"]
    assert all(len(init[name]) == 16 for name in ("join", "watch"))


async def test_joining_and_watching_are_not_answered(server):
    red, yellow, init = await start_base_game(server)
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
    red, yellow, init = await start_base_game(server)
    spectator = await server.watch(init["watch"])
    await play_all(red, yellow, [3, 3, 4])
    await spectator.expect(*played(3, 3, 4))
    for client in (red, yellow, spectator):
        await client.expect_nothing()


async def test_win_follows_the_winning_move(server):
    red, yellow, init = await start_base_game(server)
    spectator = await server.watch(init["watch"])
    await play_all(red, yellow, RED_WINS)
    await spectator.expect(*played(*RED_WINS))
    for client in (red, yellow, spectator):
        await client.expect({"type": "win", "player": "red"})
        await client.expect_nothing()


async def test_win_of_the_second_player_is_announced(server):
    red, yellow, _ = await start_base_game(server)
    await play_all(red, yellow, [6, *RED_WINS])
    await red.expect({"type": "win", "player": "yellow"})


async def test_late_spectator_sees_all_moves_and_who_won(server):
    red, yellow, init = await start_base_game(server)
    await play_all(red, yellow, RED_WINS)
    spectator = await server.watch(init["watch"])
    await spectator.expect(*played(*RED_WINS), {"type": "win", "player": "red"})
    await spectator.expect_nothing()


async def test_base_client_is_not_told_of_a_draw(server):
    red, yellow, init = await start_base_game(server)
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
    red, yellow, _ = await start_base_game(server)
    red2, yellow2, _ = await start_base_game(server)
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

BAD_COLUMNS = [
    "-1",
    "7",
    "true",
    "false",
    "3.0",
    '"3"',
    "null",
    "[3]",
    "{}",
    "9" * 990,
    "1e999",
    "Infinity",
]


@pytest.mark.parametrize("who", ["player", "spectator"])
async def test_what_is_not_expected_is_refused_in_a_sentence(server, who):
    red, yellow, init = await start_base_game(server)
    spectator = await server.watch(init["watch"])
    client = red if who == "player" else spectator
    for message in (*NOT_EXPECTED, '{"type": "open", "player": "yellow"}'):
        await client.send(message)
        assert len((await client.expect_error())["message"].split()) > 3
    await yellow.expect_nothing()
    await play_all(red, yellow, [3])
    await spectator.expect(*played(3))


async def test_move_of_a_spectator_is_refused(server):
    red, yellow, init = await start_base_game(server)
    spectator = await server.watch(init["watch"])
    await spectator.play(3)
    await spectator.expect_error("watching")
    await play_all(red, yellow, [3])
    await spectator.expect(*played(3))


async def test_column_that_is_none_is_refused_with_the_range(server):
    red, yellow, _ = await start_base_game(server)
    for column in BAD_COLUMNS:
        await red.send(f'{{"type": "play", "column": {column}}}')
        await red.expect_error("from 0 to 6")
    await red.send({"type": "play"})
    await red.expect_error("from 0 to 6")
    await yellow.expect_nothing()
    await play_all(red, yellow, [3])


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
    red, yellow, init = await start_base_game(server)
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


NO_INIT = [
    *(message for message in NOT_EXPECTED if message != '{"type": "init"}'),
    '{"type": "play", "column": 3}',
    '{"type": "init", "join": 3}',
    '{"type": "init", "join": null}',
    '{"type": "init", "watch": ["a"]}',
    '{"type": "init", "watch": {}}',
    '{"type": "init", "join": "a", "watch": true}',
]


async def test_first_message_that_is_not_init_closes_the_connection(server):
    for message in NO_INIT:
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
async def test_unknown_key_closes_the_connection(server, name):
    for key in ("", "x" * 16, "\ud800", "é" * 20):
        client = await server.connect()
        await client.send({"type": "init", name: key})
        await client.expect(NOT_FOUND)
        await client.expect_close(1000)


async def test_keys_are_not_interchangeable(server):
    _, init = await server.start()
    for name, key in [("join", init["watch"]), ("watch", init["join"])]:
        client = await server.connect()
        await client.send({"type": "init", name: key})
        await client.expect(NOT_FOUND)
        await client.expect_close(1000)


@pytest.mark.parametrize("fragments", [1, 3])
async def test_message_of_more_than_1_kib_closes_the_connection(server, fragments):
    red, yellow, _ = await start_base_game(server)
    message = "x" * 1025
    size = len(message) // fragments + 1
    await red.websocket.send(
        [message[i : i + size] for i in range(0, len(message), size)]
    )
    await red.expect_close(1009)
    await yellow.expect_nothing()


async def test_text_that_is_not_utf_8_closes_the_connection(server):
    red, yellow, _ = await start_base_game(server)
    await red.websocket.send(b'{"type": "\xff"}', text=True)
    await red.expect_close(1007)
    await yellow.expect_nothing()


# Many at once


async def test_300_spectators_who_join_meanwhile_see_each_move_once_in_order(server):
    red, yellow, init = await start_base_game(server)

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
