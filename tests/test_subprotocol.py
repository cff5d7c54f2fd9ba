"""Tests of the subprotocol connect4.v2: what its clients see of the server."""

import pytest

import app
from helpers import (
    DRAW,
    DRAWN,
    NOT_EXPECTED,
    NOT_FOUND,
    PONG,
    RED_WINS,
    V2,
    ask,
    asked,
    begin_rematch,
    come_back,
    hear,
    open_seat,
    play_all,
    played,
    present,
    sitting,
    start_base_game,
    start_game,
    started,
    waiting,
    watch_game,
    won,
)

pytestmark = pytest.mark.usefixtures("at_once")

# Starting, joining, watching


KEYS = {"rejoin": 16, "watch": 16, "code": 6}  # and how long they are


async def test_first_player_receives_init_start_presence_and_waiting(server):
    red, init = await server.start(**V2)
    keys = {name: init[name] for name in KEYS}
    assert init == {"type": "init", "player": "red", **keys, "host": None}
    assert {name: len(key) for name, key in keys.items()} == KEYS
    assert await hear(red) == [started(), present("red", open=["yellow"]), waiting()]


async def test_others_receive_the_same_but_for_seat_and_key(server):
    red, yellow, init = await start_game(server)
    rejoin = yellow.init["rejoin"]
    assert yellow.init == {**init, "player": "yellow", "rejoin": rejoin}
    assert rejoin not in init.values()
    spectator = await watch_game(server, red, yellow)
    del init["rejoin"]
    assert spectator.init == {**init, "player": None}


async def test_host_is_the_address_on_the_local_network(server, monkeypatch):
    addresses = [("wlan0", "192.0.2.1"), ("tun0", "198.51.100.1")]
    monkeypatch.setattr(app, "ADDRESSES", addresses)
    _, init = await server.start(**V2)
    assert init["host"] == "192.0.2.1"


async def test_subprotocol_is_chosen_among_several(server):
    red, init = await server.start(subprotocols=["chat", "connect4.v2", "x"])
    assert red.websocket.subprotocol == "connect4.v2"
    assert init["player"] == "red"


# Moves, how they ended, and who moved first; yellow only does in a rematch.
PASTS = {
    "new": ([], [], "red"),
    "running": ([3, 3, 4], [], "red"),
    "full column": ([0, 0, 0, 0, 0, 0], [], "red"),
    "won by red": (RED_WINS, [won("red")], "red"),
    "won by yellow": ([6, *RED_WINS], [won("yellow")], "red"),
    "drawn": (DRAWN, [DRAW], "red"),
    "won, red asked": (RED_WINS, [won("red"), asked("red")], "red"),
    "won, yellow asked": (RED_WINS, [won("red"), asked("yellow")], "red"),
    "drawn, red asked": (DRAWN, [DRAW, asked("red")], "red"),
    "drawn, yellow asked": (DRAWN, [DRAW, asked("yellow")], "red"),
    "rematch": ([3, 3], [], "yellow"),
}


@pytest.mark.parametrize("who", ["red", "yellow", "spectator"])
@pytest.mark.parametrize(("columns", "then", "first"), PASTS.values(), ids=PASTS)
async def test_newcomer_receives_the_past_in_order(server, who, columns, then, first):
    red, yellow, init = await start_game(server)
    start = started()
    if first == "yellow":
        start = started("yellow", red=1)
        await play_all(red, yellow, RED_WINS, then=[won("red")])
        await begin_rematch(red, yellow, start)
    await play_all(red, yellow, columns, first, then[:1])
    if then[1:]:
        await ask(sitting(then[1]["player"], red, yellow))
        await red.expect(then[1])
        await yellow.expect(then[1])
    told = [start, *played(*columns, first=first), *then]
    if who == "spectator":
        newcomer = await server.watch(init["watch"], **V2)
        told = [{**init, "player": None}, *told]
        told[0].pop("rejoin")
        told.append(present("red", "yellow", spectators=1))
    else:
        leaver = sitting(who, red, yellow)
        async with server.departure():
            await leaver.close()
        newcomer = await come_back(server, leaver)
        told = [leaver.init, *told, present("red", "yellow")]
    assert await hear(newcomer) == told


@pytest.mark.parametrize(("role", "name"), [("watch", "rejoin"), ("join", "watch")])
async def test_keys_are_not_interchangeable(server, role, name):
    _, init = await server.start(**V2)
    client = await server.connect(**V2)
    await client.send({"type": "init", role: init[name]})
    await client.expect(NOT_FOUND)
    await client.expect_close(1000)


# Games of base clients and others


@pytest.mark.parametrize(
    ("columns", "end", "seen"),
    [(RED_WINS, won("red"), [won("red")]), (DRAWN, DRAW, [])],
)
async def test_base_client_among_others_gets_base_events_only(
    server, columns, end, seen
):
    red, init = await server.start(**V2)
    yellow = await server.join(init["code"])
    await yellow.expect_nothing()
    assert (await hear(red))[-1] == present("red", "yellow")
    await play_all(red, yellow, columns)
    await ask(red)
    assert await hear(red) == [end, asked("red")]
    await ask(yellow)
    await yellow.expect(*seen)
    await yellow.expect_error('"play"')
    await yellow.expect_nothing()
    assert await hear(red) == []


async def test_page_joins_the_game_of_a_base_client(server):
    red, init = await server.start()
    assert init.keys() == {"type", "join", "watch"}
    yellow = await server.join(init["join"], **V2)
    keys = {"rejoin": init["join"], "watch": init["watch"]}
    assert await hear(yellow) == [
        {"type": "init", "player": "yellow", **keys, "code": None, "host": None},
        started(),
        present("red", "yellow"),
    ]
    await play_all(red, yellow, RED_WINS, then=[won("red")])
    await ask(yellow)
    assert await hear(yellow) == [asked("yellow")]
    await red.expect_nothing()


async def test_seats_of_a_base_client_s_game_are_never_open(server):
    red, yellow, init = await start_base_game(server)
    spectator = await server.watch(init["watch"], **V2)
    for player in (red, yellow):
        await hear(spectator)
        await open_seat(spectator, "yellow")
        await spectator.expect_error("can't be opened")
        if player is red:
            await yellow.close()
            await spectator.expect(present("red", spectators=1))


async def test_base_spectators_get_base_events_only_of_a_rematch_too(server):
    red, yellow, init = await start_game(server)
    early = await server.watch(init["watch"])
    await early.expect_nothing()
    for player in (red, yellow):
        await player.expect(present("red", "yellow", spectators=1))
    await play_all(red, yellow, RED_WINS, then=[won("red")])
    await begin_rematch(red, yellow, started("yellow", red=1))
    await play_all(red, yellow, RED_WINS, first="yellow", then=[won("yellow")])
    await early.expect(*played(*RED_WINS), won("red"))
    late = await server.watch(init["watch"])
    for spectator in (early, late):
        await spectator.expect(*played(*RED_WINS, first="yellow"), won("yellow"))
        await spectator.expect_nothing()


# Ping and pong

PING = {"type": "ping"}


async def start_watched_game(server, columns=()):
    """Return the clients at a game, by who they are, when they have heard all."""
    red, yellow, _ = await start_game(server)
    await play_all(red, yellow, columns)
    spectator = await watch_game(server, red, yellow)
    clients = {"red": red, "yellow": yellow, "spectator": spectator}
    for client in clients.values():
        await hear(client)
    return clients


@pytest.mark.parametrize("columns", [[], RED_WINS], ids=["new", "over"])
@pytest.mark.parametrize("who", ["red", "yellow", "spectator"])
async def test_ping_is_answered_in_order_to_its_sender_only(server, who, columns):
    clients = await start_watched_game(server, columns)
    sender = clients.pop(who)
    for event in (PING, {"type": "play", "column": 7}, PING):
        await sender.send(event)
    await sender.expect(PONG)
    await sender.expect_error()
    await sender.expect(PONG)
    for client in (sender, *clients.values()):
        await client.expect_nothing()


# What is refused

BAD_PLAYERS = ["null", "true", "0", '""', '"Red"', '"green"', '["red"]', "{}"]

UNEXPECTED = [
    *(message for message in NOT_EXPECTED if message != '{"type": "ping"}'),
    '{"type": "pong"}',
    '{"type": "start", "player": "red"}',
    '{"type": "presence", "players": [], "spectators": 0}',
    '{"type": "PING"}',
    '{"type": ["ping"]}',
    '{"type": "open"}',
    *(f'{{"type": "open", "player": {player}}}' for player in BAD_PLAYERS),
    b'{"type": "ping"}',
]


@pytest.mark.parametrize("who", ["red", "yellow", "spectator"])
async def test_what_is_not_expected_is_refused_in_a_sentence(server, who):
    clients = await start_watched_game(server)
    for message in UNEXPECTED:
        await clients[who].send(message)
        assert len((await clients[who].expect_error())["message"].split()) > 3
    for client in clients.values():
        assert await hear(client) == []
    await play_all(clients["red"], clients["yellow"], [3])


async def test_move_is_refused_while_a_rematch_is_only_asked_for(server):
    red, yellow, _ = await start_game(server)
    await play_all(red, yellow, RED_WINS, then=[won("red")])
    await ask(yellow)
    await yellow.play(3)
    over = {"type": "error", "message": "The game is over."}
    assert await hear(yellow) == [asked("yellow"), over]
    assert await hear(red) == [asked("yellow")]
