"""Tests of the extension ``connect4.v2``: what its clients see of the server."""

import pytest

from helpers import (
    DRAW,
    DRAWN,
    NOT_EXPECTED,
    NOT_FOUND,
    NOT_YOUR_TURN,
    PONG,
    RED_WINS,
    V2,
    ask,
    asked,
    begin_rematch,
    come,
    hear,
    play_all,
    played,
    present,
    seat_of,
    sitting,
    start_game,
    started,
    won,
)

pytestmark = pytest.mark.usefixtures("at_once")

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
        "invite": init["invite"],
        "host": None,
    }
    assert len({join, watch, rejoin}) == 3
    assert all(len(key) == 16 for key in (join, watch, rejoin))
    assert await hear(red) == [started(), present("red")]


async def test_join_key_is_the_rejoin_key_of_the_second_player(server):
    _, init = await server.start(**V2)
    yellow = await server.join(init["join"], **V2)
    assert await hear(yellow) == [
        seat_of("yellow", init),
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
    red, yellow, init = await start_game(server)
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
    red, yellow, init = await start_game(server)
    await play_all(red, yellow, RED_WINS, then=[won("red")])
    await begin_rematch(red, yellow, started("yellow", red=1))
    await play_all(red, yellow, [3, 3], first="yellow")
    if who != "spectator":
        async with server.departure():
            await sitting(who, red, yellow).close()
    newcomer = await come(server, who, init)
    events = [event for event in await hear(newcomer) if event["type"] != "presence"]
    assert events[-3:] == [started("yellow", red=1), *played(3, 3, first="yellow")]
    assert events[:-3] == ([] if who == "spectator" else [seat_of(who, init)])


@pytest.mark.parametrize("way", ["close", "vanish"])
@pytest.mark.parametrize("player", ["red", "yellow"])
async def test_player_who_comes_back_plays_on(server, player, way):
    red, yellow, init = await start_game(server)
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
        {**seat_of("yellow", init), "host": None},
        started(),
        present("red", "yellow"),
    ]
    await play_all(red, yellow, RED_WINS, then=[won("red")])
    await ask(yellow)
    assert await hear(yellow) == [asked("yellow")]
    await red.expect_nothing()


async def test_base_client_takes_the_seat_of_the_first_player_again(server):
    red, yellow, init = await start_game(server)
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
    red, yellow, init = await start_game(server)
    spectator = await server.watch(init["watch"])
    await spectator.expect_nothing()
    await red.expect(present("red", "yellow", spectators=1))
    await yellow.expect(present("red", "yellow", spectators=1))
    await play_all(red, yellow, RED_WINS, then=[won("red")])
    await begin_rematch(red, yellow, started("yellow", red=1))
    await play_all(red, yellow, RED_WINS, first="yellow", then=[won("yellow")])
    await spectator.expect(*played(*RED_WINS), won("red"))
    await spectator.expect(*played(*RED_WINS, first="yellow"), won("yellow"))
    await spectator.expect_nothing()


async def test_base_newcomer_after_a_rematch_gets_the_new_game_only(server):
    red, yellow, init = await start_game(server)
    await play_all(red, yellow, RED_WINS, then=[won("red")])
    await begin_rematch(red, yellow, started("yellow", red=1))
    await play_all(red, yellow, [3, 3], first="yellow")
    spectator = await server.watch(init["watch"])
    await spectator.expect(*played(3, 3, first="yellow"))
    await spectator.expect_nothing()


# Ping and pong


@pytest.mark.parametrize("who", ["red", "yellow", "spectator"])
async def test_ping_is_answered_to_its_sender_only(server, who):
    red, yellow, init = await start_game(server)
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
    red, yellow, _ = await start_game(server)
    await yellow.send({"type": "ping"})
    await yellow.play(3)
    await yellow.send({"type": "ping"})
    await yellow.expect(PONG, NOT_YOUR_TURN, PONG)
    await red.play(3)
    await red.send({"type": "ping"})
    await red.expect(*played(3), PONG)


async def test_ping_is_answered_when_the_game_is_over(server):
    red, yellow, _ = await start_game(server)
    await play_all(red, yellow, RED_WINS, then=[won("red")])
    for player in (red, yellow):
        await player.send({"type": "ping"})
        await player.expect(PONG)


# What is refused

UNEXPECTED = [
    *(message for message in NOT_EXPECTED if message != '{"type": "ping"}'),
    '{"type": "pong"}',
    '{"type": "start", "player": "red"}',
    '{"type": "presence", "players": [], "spectators": 0}',
    '{"type": "PING"}',
    '{"type": ["ping"]}',
    b'{"type": "ping"}',
]


@pytest.mark.parametrize("who", ["red", "yellow", "spectator"])
async def test_what_is_not_expected_is_refused_in_a_sentence(server, who):
    red, yellow, init = await start_game(server)
    spectator = await come(server, "spectator", init)
    clients = {"red": red, "yellow": yellow, "spectator": spectator}
    for client in clients.values():
        await hear(client)
    sender = clients.pop(who)
    for message in UNEXPECTED:
        await sender.send(message)
        assert len((await sender.expect_error())["message"].split()) > 3
    assert await hear(sender) == []
    for client in clients.values():
        assert await hear(client) == []
    await play_all(red, yellow, [3])


async def test_first_message_that_is_not_init_closes_the_connection(server):
    for message in ('{"type": "ping"}', '{"type": "rematch"}'):
        client = await server.connect(**V2)
        await client.send(message)
        await client.expect_error()
        await client.expect_close(1008)


async def test_move_is_refused_while_a_rematch_is_only_asked_for(server):
    red, yellow, _ = await start_game(server)
    await play_all(red, yellow, RED_WINS, then=[won("red")])
    await ask(yellow)
    await yellow.play(3)
    over = {"type": "error", "message": "The game is over."}
    assert await hear(yellow) == [asked("yellow"), over]
    assert await hear(red) == [asked("yellow")]
