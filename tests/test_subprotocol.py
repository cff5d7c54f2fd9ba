"""
Tests of the subprotocol connect4.v2: what a page is told, and when games begin again.

What it's told of others who come and go is in test_presence.py, what it's refused in
test_base.py, and how seats change hands in test_seats.py.

"""

import app
from events import DRAW, NOT_FOUND, asked, played, present, started, waiting, won
from helpers import DRAWN, RED_WINS, V2, expect_all, play_moves

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


async def test_another_game_begins_when_both_have_asked_for_it(server):
    red, yellow = await server.start_game()
    everybody = red, yellow, await server.watch_game(red, yellow)
    await play_moves(red, yellow, RED_WINS[:-1])
    await yellow.ask()
    await yellow.expect_error("isn't over")
    await red.play(RED_WINS[-1])
    await expect_all([red, yellow], played(*RED_WINS)[-1], won("red"))
    await yellow.ask()
    await yellow.expect(asked("yellow"))
    await yellow.ask()
    await yellow.expect_error("already")
    await red.ask()
    await yellow.expect(asked("red"), started("yellow", red=1))
    # Of this game, nobody has asked for a rematch.
    await red.ask()
    await red.expect(asked("yellow"), asked("red"), started("yellow", red=1))
    await red.expect_error("isn't over")
    await play_moves(red, yellow, [3], first="yellow")
    last = asked("yellow"), asked("red"), started("yellow", red=1)
    await everybody[2].expect(*played(*RED_WINS), won("red"), *last)
    await expect_all(everybody[2:], *played(3, first="yellow"))


async def test_rematch_stays_asked_for_while_the_asker_is_away(server):
    red, yellow = await server.start_game()
    await play_moves(red, yellow, DRAWN, then=[DRAW])
    await red.ask()
    await server.leave(red, yellow)
    yellow = await server.come_back(yellow)
    past = [started(), *played(*DRAWN), DRAW, asked("red")]
    assert await yellow.hear() == [yellow.init, *past, present("yellow")]
    await yellow.ask()
    await yellow.play(3)
    begun = [started("yellow"), *played(3, first="yellow")]
    await expect_all([yellow], asked("yellow"), *begun)
    back = await server.come_back(red)
    assert await back.hear() == [red.init, *begun, present("red", "yellow")]


async def test_base_clients_among_pages_get_events_of_the_base_protocol_only(server):
    red, yellow = await server.start_game()
    early = await server.watch(red.init["watch"])
    for player in (red, yellow):
        await player.receive_until(present("red", "yellow", spectators=1))
    await play_moves(red, yellow, RED_WINS, then=[won("red")])
    for player in (yellow, red):
        await player.ask()
        await player.receive_until(asked(player.init["player"]))
    await yellow.receive_until(started("yellow", red=1))
    await red.receive_until(started("yellow", red=1))
    await play_moves(red, yellow, DRAWN, "yellow", then=[DRAW])
    await early.expect(*played(*RED_WINS), won("red"))
    late = await server.watch(red.init["watch"])
    await expect_all([early, late], *played(*DRAWN, first="yellow"))
    # Pages that watch might do that now.
    await server.leave(red, yellow)
    await early.open_seat("yellow")
    await early.expect_error("connect4.v2")
