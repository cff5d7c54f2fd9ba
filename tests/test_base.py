"""
Tests of the base protocol: what a client of the tutorial sees of the server.

Here is what is refused, in which words, and how connections end then, for all clients.

"""

import asyncio

import pytest

import app
from events import NOT_EXPECTED, NOT_FOUND, TAKEN, played, present, won
from helpers import DRAWN, V2, YELLOW_WINS, expect_all, play_moves

# Starting, joining, watching


async def test_starting_gives_two_keys_and_the_first_player_may_move_at_once(server):
    # Subprotocols that the server doesn't know change nothing.
    red, init = await server.start(subprotocols=["chat", "connect4.v99"])
    assert init.keys() == {"type", "join", "watch"}
    assert len({init["join"], init["watch"]}) == 2
    assert all(len(init[name]) == 16 for name in ("join", "watch"))
    await red.play(3)
    await red.expect(*played(3))
    # Where both keys are given, "join" counts.
    yellow = await server.enter(init)
    await yellow.expect(*played(3))
    await yellow.play(3)
    await expect_all([red, yellow], played(3, 3)[1])


# How games go, and what base clients are told of the end.
ENDS = [(YELLOW_WINS, [won("yellow")]), (DRAWN, [])]


@pytest.mark.parametrize(("columns", "end"), ENDS)
async def test_whoever_watches_sees_each_move_once_in_order(server, columns, end):
    red, yellow, spectator = await server.start_base_game()
    others = await server.start_base_game()

    async def watch():
        newcomer = await server.watch(red.init["watch"])
        await expect_all([newcomer], *played(*columns), *end)

    async with asyncio.TaskGroup() as newcomers:
        for number, event in enumerate(played(*columns)):
            newcomers.create_task(watch())
            await [red, yellow][number % 2].play(event["column"])
            for player in (red, yellow):
                await player.expect(event)
        newcomers.create_task(watch())
    await expect_all([red, yellow], *end)
    await expect_all([spectator], *played(*columns), *end)
    await expect_all(others)


# What is refused

BAD_COLUMNS = ["-1", "7", "true", "false", "3.0", '"3"', "null", "[3]", "{}"]
BAD_COLUMNS += ["9" * 990, "1e999", "Infinity", "3e0", '"٣"', "[" * 400 + "]" * 400]

# What not even a page may send.
TO_PAGES = [
    *(message for message in NOT_EXPECTED if message != '{"type": "ping"}'),
    *('{"type": "pong"}', '{"type": "start", "player": "red"}', '{"type": "open"}'),
    *('{"type": "PING"}', '{"type": ["ping"]}', b'{"type": "ping"}'),
    *('{"type": "open", "player": "Red"}', '{"type": "open", "player": ["red"]}'),
]

ROLES = [
    ({}, [*NOT_EXPECTED, '{"type": "open", "player": "yellow"}']),
    (V2, TO_PAGES),
]


@pytest.mark.parametrize(("options", "messages"), ROLES, ids=["base", "page"])
async def test_what_is_not_expected_is_refused_in_a_sentence(server, options, messages):
    red, init = await server.start(**options)
    yellow = await server.join(init.get("join", init.get("code")), **options)
    spectator = await server.watch(init["watch"], **options)
    clients = red, yellow, spectator
    for client in (*clients, *clients):
        await client.hear()
    for client in clients:
        for message in messages:
            await client.send(message)
            await client.expect_error()
        await expect_all(clients)
    await spectator.play(3)
    await spectator.expect_error("watching")
    for column in BAD_COLUMNS:
        await red.send(f'{{"type": "play", "column": {column}}}')
        await red.expect_error("from 0 to 6")
    await red.send({"type": "play"})
    await red.expect_error("from 0 to 6")
    await yellow.play(3)
    await yellow.expect({"type": "error", "message": "It isn't your turn."})
    await play_moves(red, yellow, [3])
    await expect_all(clients[:2])
    await expect_all(clients[2:], *played(3))


NO_INIT = [
    *(message for message in NOT_EXPECTED if message != '{"type": "init"}'),
    *('{"type": "play", "column": 3}', '{"type": "init", "join": 3}'),
    *('{"type": "init", "join": null}', '{"type": "init", "watch": ["a"]}'),
    *('{"type": "init", "watch": {}}', '{"type": "init", "join": "a", "watch": true}'),
]


async def test_first_message_that_is_not_init_closes_the_connection(server):
    for message in NO_INIT:
        client = await server.connect()
        await client.send(message)
        await client.expect_error()
        await client.expect_close(1008)
    # To leave without one is no error.
    await (await server.connect()).close()


async def test_silence_closes_the_connection(server, monkeypatch):
    monkeypatch.setattr(app, "INIT_TIMEOUT", 0.05)
    client = await server.connect()
    await client.expect_error("in time")
    await client.expect_close(1008)


async def test_unknown_key_and_that_of_a_taken_seat_are_refused(server):
    red, yellow, _ = await server.start_base_game()
    join, watch = red.init["join"], red.init["watch"]
    unknown = ["", "x" * 16, "\ud800", "é" * 20]
    for way, keys in (("join", [*unknown, watch]), ("watch", [*unknown, join])):
        for key in keys:
            await (await server.enter({way: key})).expect_refusal(NOT_FOUND)
    await (await server.join(join)).expect_refusal(TAKEN)
    # A page is told how it can watch instead.
    await (await server.join(join, **V2)).expect_refusal({**TAKEN, "watch": watch})
    await expect_all([red, yellow])


# Messages, and by what code the connection is closed.
CLOSING = [(["x" * 513] * 2, 1009), ([b'{"type": "\xff"}'], 1007)]


@pytest.mark.parametrize(("fragments", "code"), CLOSING)
async def test_message_that_ends_the_connection_harms_nobody(server, fragments, code):
    red, yellow, _ = await server.start_base_game()
    await red.websocket.send(fragments, text=True)
    await red.expect_close(code)
    await expect_all([yellow])


# Pages at a match that a base client started


async def test_page_joins_the_match_of_a_base_client(server):
    red, init = await server.start()
    yellow = await server.join(init["join"], **V2)
    keys = {"rejoin": init["join"], "watch": init["watch"]}
    seat = {"type": "init", "player": "yellow", "code": None, "host": None}
    await yellow.expect({**seat, **keys})
    assert (await yellow.hear())[-1] == present("red", "yellow")
    # Its seats are never open, nor can they be opened.
    spectator = await server.watch(init["watch"], **V2)
    await spectator.receive_until(present("red", "yellow", spectators=1))
    await yellow.close()
    await spectator.receive_until(present("red", spectators=1))
    await spectator.open_seat("yellow")
    await spectator.expect_error("can't be opened")
    await expect_all([red])
