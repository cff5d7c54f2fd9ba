"""
Tests of the subprotocol connect4.v2: what a page is told, and when games begin again.

What it's told of others who come and go is in test_presence.py, what it's refused in
test_base.py, and how seats change hands in test_seats.py.

"""

import pytest

import app
from helpers import (
    DRAW,
    DRAWN,
    NOT_FOUND,
    PING,
    PONG,
    RED_WINS,
    V2,
    YELLOW_WINS,
    asked,
    begin_rematch,
    expect_all,
    play_moves,
    played,
    present,
    started,
    waiting,
    won,
)

KEYS = {"rejoin": 16, "watch": 16, "code": 6}  # and how long they are


async def test_newcomers_are_told_their_seat_and_key_and_all_that_leads_there(
    server, monkeypatch
):
    addresses = [("wlan0", "192.0.2.1"), ("tun0", "198.51.100.1")]
    monkeypatch.setattr(app, "ADDRESSES", addresses)
    red, init = await server.start(subprotocols=["chat", "connect4.v2", "x"])
    keys = {name: init[name] for name in KEYS}
    assert init == {"type": "init", "player": "red", **keys, "host": "192.0.2.1"}
    assert {name: len(key) for name, key in keys.items()} == KEYS
    assert await red.hear() == [started(), present("red", open=["yellow"]), waiting()]
    yellow = await server.join(init["code"], **V2)
    event = await yellow.receive()
    assert event == {**init, "player": "yellow", "rejoin": event["rejoin"]}
    assert event["rejoin"] not in init.values()
    spectator = await server.watch_game(red)
    assert "rejoin" not in spectator.init
    assert {**spectator.init, **init} == {**init}
    # The key of a seat doesn't lead to watching, nor the other way round.
    for way, key in (("watch", init["rejoin"]), ("join", init["watch"])):
        await (await server.enter({way: key}, **V2)).expect_refusal(NOT_FOUND)


# Moves, how they ended, and who moved first; yellow only does in a rematch.
PASTS = {
    "new": ([], [], "red"),
    "running": ([3, 3, 4], [], "red"),
    "won by red": (RED_WINS, [won("red"), asked("yellow")], "red"),
    "won by yellow": (YELLOW_WINS, [won("yellow"), asked("red")], "red"),
    "drawn": (DRAWN, [DRAW], "red"),
    "rematch": ([3, 3], [], "yellow"),
}


@pytest.mark.parametrize(("columns", "then", "first"), PASTS.values(), ids=PASTS)
async def test_newcomer_receives_the_past_in_order(server, columns, then, first):
    red, yellow = await server.start_game()
    start = started(first, red=int(first == "yellow"))
    if first == "yellow":
        await play_moves(red, yellow, RED_WINS, then=[won("red")])
        await begin_rematch(red, yellow, start)
    await play_moves(red, yellow, columns, first, then[:1])
    if then[1:]:
        asker = red if then[1] == asked("red") else yellow
        await asker.ask()
        await expect_all([red, yellow], then[1])
    past = [start, *played(*columns, first=first), *then]
    for leaver in (red, yellow):
        await server.leave(leaver)
        back = await server.come_back(leaver)
        assert await back.hear() == [leaver.init, *past, present("red", "yellow")]
    spectator = await server.watch(red.init["watch"], **V2)
    told = present("red", "yellow", spectators=1)
    assert (await spectator.hear())[1:] == [*past, told]


# How games go, how they end, and who has won then.
GAMES = [
    (RED_WINS, won("red"), {"red": 1}),
    (YELLOW_WINS, won("yellow"), {"yellow": 1}),
    (DRAWN, DRAW, {}),
]


@pytest.mark.parametrize(("columns", "end", "wins"), GAMES)
async def test_another_game_begins_when_both_have_asked_for_it(
    server, columns, end, wins
):
    red, yellow = await server.start_game()
    spectator = await server.watch_game(red, yellow)
    everybody = red, yellow, spectator
    await red.ask()
    await red.expect_error("isn't over")
    await play_moves(red, yellow, columns[:-1])
    for player in (red, yellow):
        await player.ask()
        await player.expect_error("isn't over")
    last = played(*columns)[-1]
    await (red if last["player"] == "red" else yellow).play(last["column"])
    await expect_all([red, yellow], last, end)
    await expect_all([spectator], *played(*columns), end)
    await spectator.ask()
    await spectator.expect_error("watching")
    for asker in (yellow, red):
        await asker.ask()
        await asker.ask()
        asking = asked("red" if asker is red else "yellow")
        if asker is yellow:
            await asker.expect(asking)
            await asker.expect_error("already")
            await yellow.play(3)
            await yellow.expect({"type": "error", "message": "The game is over."})
            await expect_all([red, spectator], asking)
        else:
            start = started("yellow", **wins)
            await asker.expect(asking, start)
            # Of this game, nobody has asked for a rematch.
            await asker.expect_error("isn't over")
            await expect_all([yellow, spectator], asking, start)
    await red.play(0)
    await red.expect_error("It isn't your turn.")
    await play_moves(red, yellow, [3], first="yellow")
    await expect_all(everybody[2:], *played(3, first="yellow"))


async def test_first_move_changes_hands_and_wins_are_counted_with_each_rematch(server):
    red, yellow = await server.start_game()
    wins = {"red": 0, "yellow": 0}
    for first, second in [("red", "yellow"), ("yellow", "red")] * 2:
        await play_moves(red, yellow, RED_WINS, first, then=[won(first)])
        wins[first] += 1
        await begin_rematch(red, yellow, started(second, **wins))
    # The keys stay the same, too.
    for player in (red, yellow):
        await server.leave(player)
        back = await server.come_back(player)
        told = [player.init, started("red", **wins), present("red", "yellow")]
        assert await back.hear() == told


async def test_rematch_stays_asked_for_while_the_asker_is_away(server):
    red, yellow = await server.start_game()
    await play_moves(red, yellow, RED_WINS, then=[won("red")])
    await red.ask()
    await server.leave(red, yellow)
    red = await server.come_back(red)
    await red.ask()
    assert (await red.hear())[-1]["type"] == "error"
    await server.leave(red)
    # It begins when the other one asks.
    yellow = await server.come_back(yellow)
    await yellow.hear()
    await yellow.ask()
    await yellow.play(3)
    begun = [started("yellow", red=1), *played(3, first="yellow")]
    await expect_all([yellow], asked("yellow"), *begun)
    back = await server.come_back(red)
    assert await back.hear() == [red.init, *begun, present("red", "yellow")]


async def test_base_clients_among_pages_get_events_of_the_base_protocol_only(server):
    red, init = await server.start(**V2)
    yellow, early = await server.join(init["code"]), await server.watch(init["watch"])
    await expect_all([yellow, early])
    await red.receive_until(present("red", "yellow", spectators=1))
    await play_moves(red, yellow, DRAWN)
    await red.expect(DRAW)
    for event in ({"type": "rematch"}, {"type": "open", "player": "yellow"}, PING):
        await yellow.send(event)
        await yellow.expect_error('"play"')
    await server.leave(yellow)
    yellow = await server.join(init["code"], **V2)
    assert (await yellow.receive())["player"] is None
    await expect_all([early], *played(*DRAWN))


async def test_base_spectators_see_the_moves_of_a_rematch(server):
    red, yellow = await server.start_game()
    early = await server.watch(red.init["watch"])
    for player in (red, yellow):
        await player.receive_until(present("red", "yellow", spectators=1))
    await play_moves(red, yellow, RED_WINS, then=[won("red")])
    await begin_rematch(red, yellow, started("yellow", red=1))
    await play_moves(red, yellow, RED_WINS, "yellow", then=[won("yellow")])
    await early.expect(*played(*RED_WINS), won("red"))
    late = await server.watch(red.init["watch"])
    end = [*played(*RED_WINS, first="yellow"), won("yellow")]
    await expect_all([early, late], *end)


async def test_ping_is_answered_in_order_to_its_sender_only(server):
    red, yellow = await server.start_game()
    clients = red, yellow, await server.watch_game(red, yellow)
    for sender in clients:
        for event in (PING, {"type": "play", "column": 7}, PING):
            await sender.send(event)
        await sender.expect(PONG)
        await sender.expect_error()
        await sender.expect(PONG)
        await expect_all(clients)
