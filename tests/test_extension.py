"""
Tests of the extension ``connect4.v2``: what its clients see of the server.

Nobody can come back to a game here, unless a test gives them the time to.

"""

import asyncio
import random

import pytest

import app
from helpers import DRAWN, RED_WINS, TIMEOUT, V2, Server, forgotten, played
from test_app import BAD_COLUMNS, NO_INIT, NOT_EXPECTED

# A client with 16 unread events stops reading, and then cannot close either.
EAGER = {"max_queue": None}

DRAW = {"type": "draw"}
NOT_FOUND = {"type": "error", "message": "Game not found."}
NOT_YOUR_TURN = {"type": "error", "message": "It isn't your turn."}
PONG = {"type": "pong"}


def started(player="red"):
    return {"type": "start", "player": player}


def won(player):
    return {"type": "win", "player": player}


def asked(player):
    return {"type": "rematch", "player": player}


def present(*players, spectators=0):
    return {"type": "presence", "players": list(players), "spectators": spectators}


def seat_of(player, init):
    """Return the init event for a player, given the one that started the game."""
    rejoin = init["rejoin"] if player == "red" else init["join"]
    return {**init, "player": player, "rejoin": rejoin}


async def hear(client):
    """Return all the events that the server has sent and nobody received yet."""
    await client.send({"type": "ping"})
    events = []
    while (event := await client.receive()) != PONG:
        events.append(event)
    return events


async def come(server, who, init, **options):
    """Connect a player, with the key that takes the seat again, or a spectator."""
    if who == "spectator":
        return await server.watch(init["watch"], **{**V2, **options})
    return await server.join(seat_of(who, init)["rejoin"], **{**V2, **options})


def sitting(player, red, yellow):
    """Return the one of two clients who is this player."""
    return red if player == "red" else yellow


async def start_and_join(server):
    """Return both players of a new game, and its init event."""
    red, init = await server.start(**V2)
    yellow = await server.join(init["join"], **V2)
    await hear(yellow)
    await hear(red)
    return red, yellow, init


async def play_all(red, yellow, columns, first="red", then=()):
    """Play whole moves; both players receive them, and what is said to follow."""
    movers = [red, yellow] if first == "red" else [yellow, red]
    events = played(*columns, first=first)
    for number, column in enumerate(columns):
        await movers[number % 2].play(column)
        for player in (red, yellow):
            await player.expect(events[number])
    for player in (red, yellow):
        await player.expect(*then)


async def ask(client):
    await client.send({"type": "rematch"})


async def begin_rematch(red, yellow, first="yellow"):
    """Both players ask for a rematch, in which ``first`` moves first."""
    await ask(red)
    await yellow.expect(asked("red"))
    await ask(yellow)
    await yellow.expect(asked("yellow"), started(first))
    await red.expect(asked("red"), asked("yellow"), started(first))


@pytest.fixture(autouse=True)
def no_grace(monkeypatch):
    """Games are forgotten at once, and what a failed test leaves behind stays there."""
    monkeypatch.setattr(app, "GRACE_PERIOD", 0)
    monkeypatch.setattr(app, "PRESENCE_INTERVAL", 0)
    monkeypatch.setattr(app, "JOIN", {})
    monkeypatch.setattr(app, "WATCH", {})


@pytest.fixture
def long_grace(server):
    """Players may come back as long as the test runs, and one must in the end."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(app, "GRACE_PERIOD", 60)
        yield


# Starting, joining, watching


async def test_first_player_receives_init_start_and_presence(server):
    red, init = await server.start(**V2)
    join, watch, rejoin = init["join"], init["watch"], init["rejoin"]
    assert init == {
        "type": "init",
        "join": join,
        "watch": watch,
        "player": "red",
        "rejoin": rejoin,
        "host": None,
    }
    assert len({join, watch, rejoin}) == 3
    assert all(len(key) == 16 for key in (join, watch, rejoin))
    assert await hear(red) == [started(), present("red")]


async def test_join_key_is_the_rejoin_key_of_the_second_player(server):
    _, init = await server.start(**V2)
    yellow = await server.join(init["join"], **V2)
    assert await hear(yellow) == [
        {**init, "player": "yellow", "rejoin": init["join"]},
        started(),
        present("red", "yellow"),
    ]


async def test_extension_is_chosen_among_several_subprotocols(server):
    red, init = await server.start(subprotocols=["chat", "connect4.v2", "x"])
    assert red.websocket.subprotocol == "connect4.v2"
    assert init["player"] == "red"
    assert await hear(red) == [started(), present("red")]


PASTS = {
    "new": ([], []),
    "running": ([3, 3, 4], []),
    "full column": ([0, 0, 0, 0, 0, 0], []),
    "won by red": (RED_WINS, [won("red")]),
    "won by yellow": ([6, *RED_WINS], [won("yellow")]),
    "drawn": (DRAWN, [DRAW]),
    "won, red asked": (RED_WINS, [won("red"), asked("red")]),
    "won, yellow asked": (RED_WINS, [won("red"), asked("yellow")]),
    "drawn, red asked": (DRAWN, [DRAW, asked("red")]),
    "drawn, yellow asked": (DRAWN, [DRAW, asked("yellow")]),
}


@pytest.mark.parametrize("who", ["red", "yellow", "spectator"])
@pytest.mark.parametrize(("columns", "then"), PASTS.values(), ids=PASTS)
async def test_newcomer_receives_the_past_in_order(server, who, columns, then):
    red, yellow, init = await start_and_join(server)
    await play_all(red, yellow, columns, then=then[:1])
    if then[1:]:
        await ask(sitting(then[1]["player"], red, yellow))
        await red.expect(then[1])
        await yellow.expect(then[1])
    past = [started(), *played(*columns), *then]
    if who == "spectator":
        expected = [*past, present("red", "yellow", spectators=1)]
    else:
        expected = [seat_of(who, init), *past, present("red", "yellow")]
        async with server.departure():
            await sitting(who, red, yellow).close()
    newcomer = await come(server, who, init)
    assert await hear(newcomer) == expected


@pytest.mark.parametrize("who", ["red", "yellow", "spectator"])
async def test_newcomer_after_a_rematch_sees_the_new_game_only(server, who):
    red, yellow, init = await start_and_join(server)
    await play_all(red, yellow, RED_WINS, then=[won("red")])
    await begin_rematch(red, yellow)
    await play_all(red, yellow, [3, 3], first="yellow")
    if who != "spectator":
        async with server.departure():
            await sitting(who, red, yellow).close()
    newcomer = await come(server, who, init)
    events = [event for event in await hear(newcomer) if event["type"] != "presence"]
    assert events[-3:] == [started("yellow"), *played(3, 3, first="yellow")]
    assert events[:-3] == ([] if who == "spectator" else [seat_of(who, init)])


@pytest.mark.parametrize("way", ["close", "vanish"])
@pytest.mark.parametrize("player", ["red", "yellow"])
async def test_player_who_comes_back_plays_on(server, player, way):
    red, yellow, init = await start_and_join(server)
    await play_all(red, yellow, [3, 4] if player == "red" else [3])
    async with server.departure():
        leaver, other = sitting(player, red, yellow), sitting(player, yellow, red)
        await leaver.close() if way == "close" else leaver.vanish()
    back = await come(server, player, init)
    await hear(back)
    await back.play(5)
    (move,) = await hear(back)
    assert (move["player"], move["column"], move["row"]) == (player, 5, 0)
    assert (await hear(other))[-1] == move


async def test_first_player_may_move_before_the_second_has_joined(server):
    red, init = await server.start(**V2)
    await red.play(3)
    assert await hear(red) == [started(), present("red"), *played(3)]
    yellow = await server.join(init["join"], **V2)
    await yellow.expect(seat_of("yellow", init), started(), *played(3))
    await yellow.play(3)
    await red.expect(present("red", "yellow"), played(3, 3)[1])


async def test_join_key_counts_where_both_are_given(server):
    red, init = await server.start(**V2)
    client = await server.connect(**V2)
    await client.send({"type": "init", "join": init["join"], "watch": init["watch"]})
    await client.expect(seat_of("yellow", init))
    await red.expect(started(), present("red"), present("red", "yellow"))


async def test_rejoin_key_does_not_watch(server):
    _, init = await server.start(**V2)
    client = await server.watch(init["rejoin"], **V2)
    await client.expect(NOT_FOUND)
    await client.expect_close(1000)


@pytest.mark.parametrize("name", ["join", "watch"])
async def test_unknown_key_closes_the_connection(server, name):
    client = await server.connect(**V2)
    await client.send({"type": "init", name: "x" * 16})
    await client.expect(NOT_FOUND)
    await client.expect_close(1000)


# Presence


async def test_everybody_is_told_who_comes_and_goes(server):
    red, init = await server.start(**V2)
    spectator = await server.watch(init["watch"], **V2)
    await spectator.expect(started(), present("red", spectators=1))
    await red.expect(started(), present("red"), present("red", spectators=1))
    yellow = await server.join(init["join"], **V2)
    for client in (red, spectator):
        await client.expect(present("red", "yellow", spectators=1))
    await spectator.close()
    await red.expect(present("red", "yellow"))
    yellow.vanish()
    await red.expect(present("red"))


async def test_red_stands_before_yellow_whoever_came_first(server):
    red, yellow, init = await start_and_join(server)
    await red.close()
    await yellow.expect(present("yellow"))
    red = await come(server, "red", init)
    await yellow.expect(present("red", "yellow"))
    assert (await hear(red))[-1] == present("red", "yellow")


async def test_base_clients_are_counted_but_not_told(server):
    red, init = await server.start(**V2)
    yellow = await server.join(init["join"])
    await yellow.expect_nothing()
    spectator = await server.watch(init["watch"])
    await spectator.expect_nothing()
    assert await hear(red) == [
        started(),
        present("red"),
        present("red", "yellow"),
        present("red", "yellow", spectators=1),
    ]
    await yellow.close()
    await red.expect(present("red", spectators=1))
    await spectator.expect_nothing()
    await spectator.close()
    await red.expect(present("red"))


async def test_presence_is_not_sent_when_nobody_comes_or_goes(server):
    red, yellow, init = await start_and_join(server)
    await play_all(red, yellow, [3, 4])
    await yellow.play(5)
    await yellow.expect(NOT_YOUR_TURN)
    silent = await server.connect(**V2)
    for key in (init["join"], init["rejoin"], init["watch"] + "x"):
        third = await server.join(key, **V2)
        await third.expect_error()
        await third.expect_close(1000)
    await silent.close()
    for player in (red, yellow):
        assert await hear(player) == []


async def test_presence_of_another_game_is_not_sent(server):
    red, yellow, _ = await start_and_join(server)
    red2, _, init2 = await start_and_join(server)
    await server.watch(init2["watch"], **V2)
    await red2.expect(present("red", "yellow", spectators=1))
    for player in (red, yellow):
        assert await hear(player) == []


# The end of a game, and rematches


@pytest.mark.parametrize(
    ("columns", "end"),
    [(RED_WINS, won("red")), ([6, *RED_WINS], won("yellow")), (DRAWN, DRAW)],
    ids=["red wins", "yellow wins", "draw"],
)
async def test_everybody_is_told_the_end_once_after_the_last_move(server, columns, end):
    red, yellow, init = await start_and_join(server)
    spectator = await come(server, "spectator", init)
    told = present("red", "yellow", spectators=1)
    for player in (red, yellow):
        await player.expect(told)
    await play_all(red, yellow, columns, then=[end])
    assert await hear(spectator) == [started(), told, *played(*columns), end]
    for player in (red, yellow):
        assert await hear(player) == []


@pytest.mark.parametrize("columns", [[], [3], RED_WINS[:-1], DRAWN[:-1]])
@pytest.mark.parametrize("player", ["red", "yellow"])
async def test_rematch_is_refused_before_the_game_is_over(server, player, columns):
    red, yellow, _ = await start_and_join(server)
    await play_all(red, yellow, columns)
    asker, other = sitting(player, red, yellow), sitting(player, yellow, red)
    await ask(asker)
    await asker.expect_error("isn't over")
    for client in (red, yellow):
        assert await hear(client) == []
    # It wasn't noted either.
    await ask(other)
    await other.expect_error("isn't over")
    assert await hear(asker) == []


@pytest.mark.parametrize("player", ["red", "yellow"])
async def test_rematch_is_refused_to_whoever_has_asked_already(server, player):
    red, yellow, _ = await start_and_join(server)
    await play_all(red, yellow, RED_WINS, then=[won("red")])
    asker, other = sitting(player, red, yellow), sitting(player, yellow, red)
    await ask(asker)
    await ask(asker)
    await asker.expect(asked(player))
    await asker.expect_error("already")
    assert await hear(asker) == []
    assert await hear(other) == [asked(player)]


@pytest.mark.parametrize("columns", [[], [3], RED_WINS])
async def test_rematch_is_refused_to_a_spectator(server, columns):
    red, yellow, init = await start_and_join(server)
    then = [won("red")] if columns == RED_WINS else []
    await play_all(red, yellow, columns, then=then)
    spectator = await come(server, "spectator", init)
    await hear(spectator)
    await ask(spectator)
    await spectator.expect_error("watching")
    for client in (red, yellow):
        assert await hear(client) == [present("red", "yellow", spectators=1)]


@pytest.mark.parametrize("order", [("red", "yellow"), ("yellow", "red")])
@pytest.mark.parametrize(
    ("columns", "end"), [(RED_WINS, won("red")), (DRAWN, DRAW)], ids=["won", "drawn"]
)
async def test_rematch_starts_when_both_have_asked(server, columns, end, order):
    red, yellow, init = await start_and_join(server)
    await play_all(red, yellow, columns, then=[end])
    spectator = await come(server, "spectator", init)
    for client in (red, yellow, spectator):
        await hear(client)
    for player in order:
        await ask(sitting(player, red, yellow))
        for client in (red, yellow, spectator):
            await client.expect(asked(player))
    for client in (red, yellow, spectator):
        assert await hear(client) == [started("yellow")]


async def test_rematch_begins_on_an_empty_board_with_the_other_player(server):
    red, yellow, init = await start_and_join(server)
    spectator = await come(server, "spectator", init)
    await hear(red)
    await hear(yellow)
    await play_all(red, yellow, RED_WINS, then=[won("red")])
    await begin_rematch(red, yellow)
    await red.play(0)
    await red.expect(NOT_YOUR_TURN)
    await play_all(red, yellow, RED_WINS, first="yellow", then=[won("yellow")])
    events = [started("yellow"), *played(*RED_WINS, first="yellow"), won("yellow")]
    assert (await hear(spectator))[-len(events) :] == events


async def test_first_move_changes_hands_with_each_rematch(server):
    red, yellow, _ = await start_and_join(server)
    for first, second in [("red", "yellow"), ("yellow", "red")] * 2:
        await play_all(red, yellow, RED_WINS, first=first, then=[won(first)])
        await begin_rematch(red, yellow, first=second)


async def test_first_move_changes_hands_after_a_draw_too(server):
    red, yellow, _ = await start_and_join(server)
    for first, second in [("red", "yellow"), ("yellow", "red")]:
        await play_all(red, yellow, DRAWN, first=first, then=[DRAW])
        await begin_rematch(red, yellow, first=second)


async def test_both_must_ask_again_for_the_next_rematch(server):
    red, yellow, _ = await start_and_join(server)
    await play_all(red, yellow, RED_WINS, then=[won("red")])
    await begin_rematch(red, yellow)
    for player in (red, yellow):
        await ask(player)
        await player.expect_error("isn't over")
    await play_all(red, yellow, RED_WINS, first="yellow", then=[won("yellow")])
    await ask(red)
    assert await hear(red) == [asked("red")]
    assert await hear(yellow) == [asked("red")]


async def test_keys_stay_the_same_in_a_rematch(server):
    red, yellow, init = await start_and_join(server)
    await play_all(red, yellow, RED_WINS, then=[won("red")])
    await begin_rematch(red, yellow)
    async with server.departure():
        await red.close()
    red = await come(server, "red", init)
    told = [seat_of("red", init), started("yellow"), present("red", "yellow")]
    assert await hear(red) == told


@pytest.mark.parametrize("way", ["close", "vanish"])
async def test_rematch_stays_asked_for_while_the_asker_is_away(server, way):
    red, yellow, init = await start_and_join(server)
    await play_all(red, yellow, RED_WINS, then=[won("red")])
    await ask(red)
    await yellow.expect(asked("red"))
    await red.close() if way == "close" else red.vanish()
    await yellow.expect(present("yellow"))
    red = await come(server, "red", init)
    await yellow.expect(present("red", "yellow"))
    await hear(red)
    await ask(red)
    await red.expect_error("already")
    await ask(yellow)
    for player in (red, yellow):
        await player.expect(asked("yellow"), started("yellow"))


async def test_rematch_may_begin_while_the_asker_is_away(server):
    red, yellow, init = await start_and_join(server)
    await play_all(red, yellow, RED_WINS, then=[won("red")])
    await ask(red)
    await yellow.expect(asked("red"))
    await red.close()
    await yellow.expect(present("yellow"))
    await ask(yellow)
    await yellow.play(3)
    move = played(3, first="yellow")
    await yellow.expect(asked("yellow"), started("yellow"), *move)
    red = await come(server, "red", init)
    told = [seat_of("red", init), started("yellow"), *move, present("red", "yellow")]
    assert await hear(red) == told


async def test_rematch_stays_asked_for_while_both_are_away(server, long_grace):
    red, yellow, init = await start_and_join(server)
    await play_all(red, yellow, RED_WINS, then=[won("red")])
    await ask(yellow)
    spectator = await come(server, "spectator", init)
    await hear(spectator)
    await yellow.close()
    await red.close()
    await spectator.expect(present("red", spectators=1), present(spectators=1))
    red = await come(server, "red", init)
    past = [started(), *played(*RED_WINS), won("red"), asked("yellow")]
    assert await hear(red) == [
        seat_of("red", init),
        *past,
        present("red", spectators=1),
    ]
    await ask(red)
    await red.expect(asked("red"), started("yellow"))


# Games of base clients and clients of the extension


async def test_base_client_in_a_game_of_the_extension_gets_base_events_only(server):
    red, init = await server.start(**V2)
    yellow = await server.join(init["join"])
    await yellow.expect_nothing()
    await red.expect(started(), present("red"), present("red", "yellow"))
    await play_all(red, yellow, RED_WINS, then=[won("red")])
    await ask(red)
    assert await hear(red) == [asked("red")]
    await yellow.expect_nothing()
    await ask(yellow)
    await yellow.expect_error('"play"')
    await yellow.expect_nothing()
    assert await hear(red) == []


async def test_base_client_is_not_told_of_a_draw_but_others_are(server):
    red, init = await server.start(**V2)
    yellow = await server.join(init["join"])
    await yellow.expect_nothing()
    await red.expect(started(), present("red"), present("red", "yellow"))
    await play_all(red, yellow, DRAWN)
    await yellow.expect_nothing()
    assert await hear(red) == [DRAW]


async def test_client_of_the_extension_joins_the_game_of_a_base_client(server):
    red, init = await server.start()
    assert init.keys() == {"type", "join", "watch"}
    yellow = await server.join(init["join"], **V2)
    assert await hear(yellow) == [
        {**init, "player": "yellow", "rejoin": init["join"], "host": None},
        started(),
        present("red", "yellow"),
    ]
    await play_all(red, yellow, RED_WINS, then=[won("red")])
    await ask(yellow)
    assert await hear(yellow) == [asked("yellow")]
    await red.expect_nothing()


async def test_base_client_takes_the_seat_of_the_first_player_again(server):
    red, yellow, init = await start_and_join(server)
    await play_all(red, yellow, [3, 4])
    await red.close()
    await yellow.expect(present("yellow"))
    red = await server.join(init["rejoin"])
    await red.expect(*played(3, 4))
    await red.expect_nothing()
    await yellow.expect(present("red", "yellow"))
    await red.play(3)
    await yellow.expect(played(3, 4, 3)[-1])


async def test_base_spectator_stays_through_a_rematch_with_base_events_only(server):
    red, yellow, init = await start_and_join(server)
    spectator = await server.watch(init["watch"])
    await spectator.expect_nothing()
    await red.expect(present("red", "yellow", spectators=1))
    await yellow.expect(present("red", "yellow", spectators=1))
    await play_all(red, yellow, RED_WINS, then=[won("red")])
    await begin_rematch(red, yellow)
    await play_all(red, yellow, RED_WINS, first="yellow", then=[won("yellow")])
    await spectator.expect(*played(*RED_WINS), won("red"))
    await spectator.expect(*played(*RED_WINS, first="yellow"), won("yellow"))
    await spectator.expect_nothing()


async def test_base_newcomer_after_a_rematch_gets_the_new_game_only(server):
    red, yellow, init = await start_and_join(server)
    await play_all(red, yellow, RED_WINS, then=[won("red")])
    await begin_rematch(red, yellow)
    await play_all(red, yellow, [3, 3], first="yellow")
    spectator = await server.watch(init["watch"])
    await spectator.expect(*played(3, 3, first="yellow"))
    await spectator.expect_nothing()


# Ping and pong


@pytest.mark.parametrize("who", ["red", "yellow", "spectator"])
async def test_ping_is_answered_to_its_sender_only(server, who):
    red, yellow, init = await start_and_join(server)
    spectator = await come(server, "spectator", init)
    clients = {"red": red, "yellow": yellow, "spectator": spectator}
    for client in clients.values():
        await hear(client)
    sender = clients.pop(who)
    for _ in range(3):
        await sender.send({"type": "ping"})
    await sender.expect(PONG, PONG, PONG)
    await sender.expect_nothing()
    for client in clients.values():
        await client.expect_nothing()


async def test_pong_comes_in_order_with_moves_and_errors(server):
    red, yellow, _ = await start_and_join(server)
    await yellow.send({"type": "ping"})
    await yellow.play(3)
    await yellow.send({"type": "ping"})
    await yellow.expect(PONG, NOT_YOUR_TURN, PONG)
    await red.play(3)
    await red.send({"type": "ping"})
    await red.expect(*played(3), PONG)


async def test_ping_is_answered_when_the_game_is_over(server):
    red, yellow, _ = await start_and_join(server)
    await play_all(red, yellow, RED_WINS, then=[won("red")])
    for player in (red, yellow):
        await player.send({"type": "ping"})
        await player.expect(PONG)


# What is refused

UNEXPECTED = {
    **NOT_EXPECTED,
    "server's pong": '{"type": "pong"}',
    "server's start": '{"type": "start", "player": "red"}',
    "server's draw": '{"type": "draw"}',
    "server's presence": '{"type": "presence", "players": [], "spectators": 0}',
    "ping in capitals": '{"type": "PING"}',
    "array as type": '{"type": ["ping"]}',
    "binary ping": b'{"type": "ping"}',
    "init with a key": '{"type": "init", "join": "x"}',
}
del UNEXPECTED["extension's ping"]


@pytest.mark.parametrize("message", UNEXPECTED.values(), ids=UNEXPECTED)
async def test_unexpected_message_of_a_player_is_refused(server, message):
    red, yellow, _ = await start_and_join(server)
    await red.send(message)
    assert len((await red.expect_error())["message"].split()) > 3
    assert await hear(red) == []
    assert await hear(yellow) == []
    await play_all(red, yellow, [3])


@pytest.mark.parametrize("message", UNEXPECTED.values(), ids=UNEXPECTED)
async def test_unexpected_message_of_a_spectator_is_refused(server, message):
    red, yellow, init = await start_and_join(server)
    spectator = await come(server, "spectator", init)
    told = present("red", "yellow", spectators=1)
    assert await hear(spectator) == [started(), told]
    await spectator.send(message)
    assert len((await spectator.expect_error())["message"].split()) > 3
    assert await hear(spectator) == []
    for player in (red, yellow):
        assert await hear(player) == [told]
    await play_all(red, yellow, [3])
    await spectator.expect(*played(3))


UNEXPECTED_IN_THE_END = dict(UNEXPECTED)
del UNEXPECTED_IN_THE_END["extension's rematch"]


@pytest.mark.parametrize(
    "message", UNEXPECTED_IN_THE_END.values(), ids=UNEXPECTED_IN_THE_END
)
async def test_unexpected_message_after_the_end_is_refused(server, message):
    red, yellow, _ = await start_and_join(server)
    await play_all(red, yellow, RED_WINS, then=[won("red")])
    await yellow.send(message)
    assert len((await yellow.expect_error())["message"].split()) > 3
    assert await hear(yellow) == []
    assert await hear(red) == []
    await begin_rematch(red, yellow)


FIRST = {**NO_INIT, "rematch": '{"type": "rematch"}', "pong": '{"type": "pong"}'}


@pytest.mark.parametrize("message", FIRST.values(), ids=FIRST)
async def test_first_message_that_is_not_init_closes_the_connection(server, message):
    client = await server.connect(**V2)
    await client.send(message)
    assert len((await client.expect_error())["message"].split()) > 3
    await client.expect_close(1008)


@pytest.mark.parametrize("column", BAD_COLUMNS.values(), ids=BAD_COLUMNS)
async def test_column_that_is_none_is_refused_with_the_range(server, column):
    red, yellow, _ = await start_and_join(server)
    await red.send(f'{{"type": "play", "column": {column}}}')
    await red.expect_error("from 0 to 6")
    assert await hear(yellow) == []
    await play_all(red, yellow, [3])


@pytest.mark.parametrize(
    ("columns", "then", "player", "column", "message"),
    [
        ([], [], "yellow", 3, "It isn't your turn."),
        ([0, 0, 0, 0, 0, 0], [], "red", 0, "This slot is full."),
        (RED_WINS, [won("red")], "yellow", 3, "The game is over."),
        (DRAWN, [DRAW], "red", 3, "The game is over."),
    ],
)
async def test_illegal_move_is_refused(server, columns, then, player, column, message):
    red, yellow, _ = await start_and_join(server)
    await play_all(red, yellow, columns, then=then)
    mover, other = sitting(player, red, yellow), sitting(player, yellow, red)
    await mover.play(column)
    assert await hear(mover) == [{"type": "error", "message": message}]
    assert await hear(other) == []


async def test_move_is_refused_while_a_rematch_is_only_asked_for(server):
    red, yellow, _ = await start_and_join(server)
    await play_all(red, yellow, RED_WINS, then=[won("red")])
    await ask(yellow)
    await yellow.play(3)
    over = {"type": "error", "message": "The game is over."}
    assert await hear(yellow) == [asked("yellow"), over]
    assert await hear(red) == [asked("yellow")]


@pytest.mark.parametrize("seat", ["red", "yellow"])
async def test_taken_seat_is_refused_with_the_key_to_watch(server, seat):
    red, yellow, init = await start_and_join(server)
    third = await come(server, seat, init)
    event = await third.expect_error("already has this player")
    assert event.keys() == {"type", "message", "watch"}
    assert event["watch"] == init["watch"]
    await third.expect_close(1000)
    for player in (red, yellow):
        assert await hear(player) == []
    await play_all(red, yellow, [3, 4])


@pytest.mark.parametrize("seat", ["red", "yellow"])
async def test_taken_seat_is_refused_to_a_base_client_without_a_key(server, seat):
    red, yellow, init = await start_and_join(server)
    third = await server.join(seat_of(seat, init)["rejoin"])
    event = await third.expect_error("already has this player")
    assert event.keys() == {"type", "message"}
    await third.expect_close(1000)
    for player in (red, yellow):
        assert await hear(player) == []


async def test_key_to_watch_is_given_for_the_seat_of_a_base_client_too(server):
    _, init = await server.start()
    await server.join(init["join"])
    third = await server.join(init["join"], **V2)
    event = await third.expect_error("already has this player")
    assert event["watch"] == init["watch"]
    await third.expect_close(1000)


# Seats


@pytest.mark.parametrize("seat", ["red", "yellow"])
async def test_nobody_is_told_when_a_dead_connection_loses_its_seat(
    server, monkeypatch, seat
):
    monkeypatch.setattr(app, "PROBE_TIMEOUT", 0.1)
    red, yellow, init = await start_and_join(server)
    spectator = await come(server, "spectator", init)
    await hear(spectator)
    dead, other = sitting(seat, red, yellow), sitting(seat, yellow, red)
    await hear(other)
    dead.websocket.transport.pause_reading()
    async with server.departure():
        newcomer = await come(server, seat, init)
    told = present("red", "yellow", spectators=1)
    assert await hear(newcomer) == [seat_of(seat, init), started(), told]
    assert await hear(other) == []
    assert await hear(spectator) == []
    dead.vanish()


async def test_old_connection_is_dropped_when_it_loses_its_seat(server, monkeypatch):
    monkeypatch.setattr(app, "PROBE_TIMEOUT", 0.1)
    red, yellow, init = await start_and_join(server)
    red.websocket.transport.pause_reading()
    newcomer = await come(server, "red", init)
    await newcomer.expect(seat_of("red", init))
    red.websocket.transport.resume_reading()
    async with asyncio.timeout(TIMEOUT):
        await red.websocket.wait_closed()
    await hear(newcomer)
    await play_all(newcomer, yellow, [3, 4])
    assert await hear(yellow) == []


@pytest.mark.parametrize("seat", ["red", "yellow"])
async def test_only_one_of_many_newcomers_gets_the_seat_of_a_dead_connection(
    server, monkeypatch, seat
):
    monkeypatch.setattr(app, "PROBE_TIMEOUT", 0.1)
    red, yellow, init = await start_and_join(server)
    dead, other = sitting(seat, red, yellow), sitting(seat, yellow, red)
    dead.websocket.transport.pause_reading()
    newcomers = await asyncio.gather(*(come(server, seat, init) for _ in range(10)))
    # The probes have begun when this is answered. Whoever takes the seat then
    # is alive, and has all the time to say so.
    assert await hear(other) == []
    monkeypatch.setattr(app, "PROBE_TIMEOUT", 2)
    events = [await newcomer.receive() for newcomer in newcomers]
    (taker,) = [
        newcomer
        for newcomer, event in zip(newcomers, events, strict=True)
        if event == seat_of(seat, init)
    ]
    assert [event.get("watch") for event in events] == [init["watch"]] * 10
    assert [event["type"] for event in events].count("error") == 9
    for newcomer in newcomers:
        if newcomer is not taker:
            await newcomer.expect_close(1000)
    assert await hear(taker) == [started(), present("red", "yellow")]
    assert await hear(other) == []
    dead.vanish()


async def test_only_one_of_many_newcomers_gets_a_seat_that_was_just_left(server):
    red, yellow, init = await start_and_join(server)
    yellow.vanish()
    newcomers = await asyncio.gather(*(come(server, "yellow", init) for _ in range(10)))
    events = [await newcomer.receive() for newcomer in newcomers]
    assert sorted(event["type"] for event in events) == ["error"] * 9 + ["init"]
    assert (await hear(red))[-1:] in ([], [present("red", "yellow")])


# Lifetime


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
    red, yellow, init = await start_and_join(server)
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
    red, yellow, init = await start_and_join(server)
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
    red, yellow, init = await start_and_join(server)
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
        red, yellow, init = await start_and_join(server)
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


# Everything at once


class Page:
    """What somebody's page shows: a picture that is drawn from the events alone."""

    def __init__(self, client, player=None):
        self.client = client
        self.player = player
        self.init = None
        self.events = []  # as the server told them to everybody
        self.errors = 0  # as it told them to this client
        self.first, self.moves, self.end, self.asked = None, [], None, []
        self.presence = None

    @property
    def board(self):
        return self.first, self.moves, self.end, self.asked, self.presence

    @property
    def turn(self):
        other = {"red": "yellow", "yellow": "red"}[self.first]
        return [self.first, other][len(self.moves) % 2]

    def allows(self, column):
        """Tell whether this player may drop a checker there now."""
        height = [move["column"] for move in self.moves].count(column)
        on_board = column in range(7) and height < 6
        return self.turn == self.player and self.end is None and on_board

    def handle(self, event):
        match event["type"]:
            case "init":
                assert (self.events, self.errors) == ([], 0)
                self.init = event
                return
            case "error":
                self.errors += 1
                return
            case "start":
                self.first = event["player"]
                self.moves, self.end, self.asked = [], None, []
            case "play":
                self.moves.append(event)
            case "win" | "draw":
                self.end = event
            case "rematch":
                self.asked.append(event["player"])
            case "presence":
                # Who has come and gone in an interval isn't told to everybody.
                assert event != self.presence
                self.presence = event
                return
        self.events.append(event)

    async def listen(self):
        """Handle all that was sent so far; return how many errors were among it."""
        before = self.errors
        await self.client.send({"type": "ping"})
        # To a base client a refusal of its ping is a sign as good as a pong.
        answer = "pong" if self.client.websocket.subprotocol else "error"
        while (event := await self.client.receive())["type"] != answer:
            self.handle(event)
        return self.errors - before


class Walk:
    """
    Players and spectators of one match, who do things at random.

    Most of them don't wait until the server has noticed. The ``witness`` is
    there from the beginning to the end, and so knows the whole story.

    """

    def __init__(self, server, seed):
        self.server = server
        self.random = random.Random(seed)
        self.plan = DRAWN if self.random.random() < 0.1 else RED_WINS
        self.seats, self.dead, self.spectators, self.gone = {}, {}, [], []

    async def begin(self):
        red, self.init = await self.server.start(**V2, **EAGER)
        self.seats["red"] = Page(red, "red")
        self.seats["red"].handle(self.init)
        witness = await come(self.server, "spectator", self.init, **EAGER)
        self.witness = Page(witness)
        await self.witness.listen()
        await self.sit("yellow")

    @property
    def story(self):
        """What the server has told everybody, from the very beginning."""
        return self.witness.events

    @property
    def here(self):
        return [self.witness, *self.seats.values(), *self.spectators]

    def chance(self, probability):
        return self.random.random() < probability

    # What may happen

    async def move(self):
        mover = self.seats.get(self.witness.turn)
        if mover is None or self.chance(0.2):
            mover = self.random.choice(list(self.seats.values()))
        await mover.listen()
        # Only a game that never leaves this plan is drawn.
        columns = [-1, 7] if self.plan == DRAWN else range(-1, 8)
        column = self.random.choice(columns)
        if len(mover.moves) < len(self.plan) and self.chance(0.9):
            column = self.plan[len(mover.moves)]
        legal = mover.allows(column)
        await mover.client.play(column)
        if self.chance(0.8):
            refused = await mover.listen()
            assert not (legal and refused)
            await self.witness.listen()

    async def play_on(self):
        for _ in range(len(self.plan)):
            await self.move()

    async def ask(self):
        for page in self.random.sample(list(self.seats.values()), len(self.seats)):
            if self.chance(0.8):
                await ask(page.client)
        await self.witness.listen()

    async def listen(self):
        await self.random.choice(self.here).listen()

    async def sit(self, player):
        if player in self.dead:
            # It doesn't give a sign of life, however long one waits for it.
            app.PROBE_TIMEOUT = 0
        client = await come(self.server, player, self.init, **EAGER)
        self.seats[player] = Page(client, player)
        if player in self.dead or self.chance(0.5):
            await self.seats[player].listen()
        app.PROBE_TIMEOUT = 2
        if player in self.dead:
            self.dead.pop(player).client.vanish()

    async def come(self):
        empty = [player for player in ("red", "yellow") if player not in self.seats]
        if empty:
            await self.sit(self.random.choice(empty))

    async def watch(self):
        options = self.random.choice([V2, {}])
        client = await self.server.watch(self.init["watch"], **options, **EAGER)
        self.spectators.append(Page(client))
        if self.chance(0.5):
            await self.spectators[-1].listen()

    async def leave(self, page=None):
        page = page or self.random.choice(self.here[1:])
        if page.player:
            del self.seats[page.player]
        else:
            self.spectators.remove(page)
        self.gone.append(page)
        if self.chance(0.5):
            page.client.vanish()
        else:
            await page.client.close()

    async def die(self):
        player, page = self.random.choice(list(self.seats.items()))
        await page.listen()
        page.client.websocket.transport.pause_reading()
        self.dead[player] = self.seats.pop(player)
        self.gone.append(page)

    async def take(self):
        page = self.random.choice(list(self.seats.values()))
        await page.listen()
        options = self.random.choice([V2, {}])
        third = await self.server.join(page.init["rejoin"], **options)
        event = await third.expect_error("already has this player")
        assert event.get("watch") == (self.init["watch"] if options else None)
        await third.expect_close(1000)

    async def step(self):
        weights = {
            self.move: 12,
            self.play_on: 3,
            self.ask: 4,
            self.listen: 4,
            self.come: 6,
            self.watch: 2,
            self.leave: 3,
            self.die: 1,
            self.take: 1,
        }
        if not self.seats:
            await self.come()
        (action,) = self.random.choices(list(weights), weights.values())
        if action == self.leave and len(self.here) == 1:
            action = self.watch
        await action()

    # What must hold in the end

    async def settle(self):
        """Wait until the server has noticed everything."""
        for page in self.dead.values():
            page.client.vanish()
        if not self.seats or self.chance(0.5):
            await self.come()
        for page in self.here:
            await page.listen()
        players = [player for player in ("red", "yellow") if player in self.seats]
        truth = present(*players, spectators=1 + len(self.spectators))
        while self.witness.presence != truth:
            self.witness.handle(await self.witness.client.receive())
        for page in self.here:
            await page.listen()

    def check_boards(self):
        """All boards are the same, and the server's as well."""
        match = app.WATCH[self.init["watch"]]
        for page in self.here:
            if page.client.websocket.subprotocol:
                assert page.board == self.witness.board
            if page.player:
                assert page.init == seat_of(page.player, self.init)
        first, moves, end, asked, _ = self.witness.board
        columns = [column for _, column, _ in match.game.moves]
        assert moves == played(*columns, first=first)
        assert (first, len(asked)) == (match.game.first, len(asked_in(match)))
        winner = end and end.get("player")
        assert (winner, end == DRAW) == (match.game.winner, match.game.drawn)

    def check_stories(self):
        """Each event was told exactly once, and in order, to each who was here."""
        story = self.story
        for page in self.here:
            assert any(page.events == told for told in accounts(story, page))
        for page in self.gone:
            count = len(page.events)
            assert any(page.events == told[:count] for told in accounts(story, page))

    async def end(self):
        """All players leave; then the game is forgotten."""
        app.GRACE_PERIOD = 0
        for page in list(self.seats.values()):
            await self.leave(page)
        for page in (self.witness, *self.spectators):
            while (event := await page.client.receive())["type"] != "error":
                assert event["type"] == "presence"
            await page.client.expect_close(1000)
        await forgotten()
        assert (app.JOIN, app.WATCH) == ({}, {})


def asked_in(match):
    return [event for event in match.history if event["type"] == "rematch"]


def accounts(story, page):
    """Yield what somebody can have been told in all, for each time of arrival."""
    base = not page.client.websocket.subprotocol
    for arrival in range(1, len(story) + 1):
        beginning = max(i for i in range(arrival) if story[i]["type"] == "start")
        told = story[beginning:]
        yield [e for e in told if not base or e["type"] in ("play", "win")]


@pytest.mark.parametrize("block", range(10))
async def test_all_boards_agree_after_whatever_happened(server, monkeypatch, block):
    monkeypatch.setattr(app, "PROBE_TIMEOUT", 2)
    for seed in range(50 * block, 50 * block + 50):
        app.GRACE_PERIOD = 60
        try:
            walk = Walk(server, seed)
            await walk.begin()
            for _ in range(walk.random.randrange(40)):
                await walk.step()
            await walk.settle()
            walk.check_boards()
            walk.check_stories()
            await walk.end()
        except Exception as exc:
            exc.add_note(f"seed {seed}")
            raise
