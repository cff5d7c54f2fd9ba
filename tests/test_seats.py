"""Tests of seats: who may sit where, and who makes room for whom."""

import pytest

from helpers import (
    NOT_FOUND,
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
    stand_up,
    start_base_game,
    start_game,
    started,
    waiting,
    watch_game,
    won,
)

pytestmark = pytest.mark.usefixtures("at_once")

TAKEN = {"type": "error", "message": "The game already has this player."}

SEATS = pytest.mark.parametrize("seat", ["red", "yellow"])
OPTIONS = pytest.mark.parametrize("options", [V2, {"subprotocols": None}])


def pair(seat, red, yellow):
    """Return who sits in a seat, and then the other player."""
    return sitting(seat, red, yellow), sitting(seat, yellow, red)


def other(seat):
    return sitting(seat, "yellow", "red")


async def leave(server, player):
    async with server.departure():
        await player.close()


# Keys


@SEATS
@OPTIONS
async def test_player_who_left_comes_back_by_key_and_plays_on(server, seat, options):
    red, yellow, _ = await start_game(server)
    moves = [3, 4, 5, 6] if seat == "yellow" else [3, 4, 5, 6, 0]
    await play_all(red, yellow, moves[:-2])
    leaver, stayer = pair(seat, red, yellow)
    await leave(server, leaver)
    # The game goes on meanwhile.
    await stayer.play(moves[-2])
    assert (await hear(stayer))[-1] == played(*moves)[-2]
    back = await come_back(server, leaver, **options)
    if options is V2:
        await back.expect(leaver.init, started())
    await back.expect(*played(*moves)[:-1])
    if options is V2:
        await back.expect(present("red", "yellow"))
    await back.play(moves[-1])
    await back.expect(played(*moves)[-1])
    await stayer.expect(present("red", "yellow"), played(*moves)[-1])


@SEATS
@OPTIONS
async def test_taken_seat_is_refused_with_the_key_to_watch(server, seat, options):
    red, yellow, init = await start_game(server)
    third = await come_back(server, sitting(seat, red, yellow), **options)
    # The base protocol knows no such key in an error.
    key = {"watch": init["watch"]} if options is V2 else {}
    await third.expect({**TAKEN, **key})
    await third.expect_close(1000)
    for player in (red, yellow):
        assert await hear(player) == []
    await play_all(red, yellow, [3, 4])


async def test_key_to_watch_is_given_for_the_seat_of_a_base_client_too(server):
    _, _, init = await start_base_game(server)
    third = await server.join(init["join"], **V2)
    await third.expect({**TAKEN, "watch": init["watch"]})


# Open seats


@SEATS
async def test_who_opens_their_own_seat_watches_and_is_sent_the_past(server, seat):
    red, yellow, init = await start_game(server)
    await play_all(red, yellow, [3, 3])
    opener, stayer = pair(seat, red, yellow)
    told = present(other(seat), open=[seat], spectators=1)
    assert await stand_up(opener) == [started(), *played(3, 3), told]
    assert opener.init == {
        **{name: init[name] for name in ("type", "watch", "code", "host")},
        "player": None,
    }
    # Whoever stays waits for somebody else.
    await stayer.expect(told, waiting())
    await opener.play(3)
    await opener.expect_error("watching")


@SEATS
async def test_key_of_an_opened_seat_is_unknown(server, seat):
    opener, stayer = pair(seat, *(await start_game(server))[:2])
    key = opener.init["rejoin"]
    await stand_up(opener)
    third = await server.join(key, **V2)
    await third.expect(NOT_FOUND)
    await third.expect_close(1000)
    # The other one isn't.
    await leave(server, stayer)
    back = await come_back(server, stayer)
    await back.expect(stayer.init)


@SEATS
@pytest.mark.parametrize("who", ["player", "spectator"])
async def test_seat_of_who_is_away_can_be_opened(server, seat, who):
    red, yellow, _ = await start_game(server)
    await play_all(red, yellow, [3, 4])
    leaver, opener = pair(seat, red, yellow)
    if who == "spectator":
        spectator = await watch_game(server, red, yellow)
        await leave(server, opener)
        opener = spectator
    await leave(server, leaver)
    await hear(opener)
    await open_seat(opener, seat)
    stayers = [other(seat)] if who == "player" else []
    told = present(*stayers, open=[seat], spectators=1 - len(stayers))
    await opener.expect(told)
    await (await come_back(server, leaver)).expect(NOT_FOUND)
    # To open it again is no error, and nothing new.
    await hear(opener)
    await open_seat(opener, seat)
    assert await hear(opener) == []
    assert await hear(opener) == []


# Who is here, who tries to open which seat, and why they may not.
HERE = [
    (["red", "yellow"], "red", "yellow"),
    (["red", "yellow"], "yellow", "red"),
    (["red", "yellow"], "spectator", "red"),
    (["red", "yellow"], "spectator", "yellow"),
    (["red"], "spectator", "yellow"),
    (["yellow"], "spectator", "red"),
    (["yellow"], "spectator", "yellow"),
]


@pytest.mark.parametrize(("here", "sender", "seat"), HERE)
async def test_seat_is_not_opened_to_who_has_no_say(server, here, sender, seat):
    red, yellow, _ = await start_game(server)
    spectator = await watch_game(server, red, yellow)
    clients = {"red": red, "yellow": yellow, "spectator": spectator}
    for player in {"red", "yellow"} - {*here}:
        await leave(server, clients.pop(player))
    for client in clients.values():
        await hear(client)
    await open_seat(clients[sender], seat)
    who = here[0] if sender == "spectator" else seat
    error = {"type": "error", "message": f"{who.capitalize()} is here."}
    assert await hear(clients.pop(sender)) == [error]
    for client in clients.values():
        assert await hear(client) == []


@SEATS
@pytest.mark.parametrize("whose", ["own", "other's"])
async def test_request_for_a_rematch_is_gone_with_the_seat(server, seat, whose):
    red, yellow, _ = await start_game(server)
    await play_all(red, yellow, RED_WINS, then=[won("red")])
    asker, stayer = pair(seat, red, yellow)
    await ask(asker)
    if whose == "own":
        await stand_up(asker)
    else:
        await leave(server, asker)
        await open_seat(stayer, seat)
    while await stayer.receive() != waiting():
        pass
    await ask(stayer)
    assert await hear(stayer) == [asked(other(seat))]
    late = await server.watch(stayer.init["watch"], **V2)
    past = [started(), *played(*RED_WINS), won("red"), asked(other(seat))]
    assert (await hear(late))[1:-1] == past


# Taking turns


async def sit_down(server, seat, init):
    """Return who takes a seat by the code, and what they hear then."""
    newcomer = await server.join(init["code"], **V2)
    assert (await newcomer.receive())["player"] == seat
    return newcomer, await hear(newcomer)


@SEATS
@pytest.mark.parametrize("columns", [RED_WINS, [6, *RED_WINS]])
async def test_newcomer_begins_a_new_game_after_one_that_is_over(server, seat, columns):
    red, yellow, init = await start_game(server)
    winner = "red" if columns is RED_WINS else "yellow"
    await play_all(red, yellow, columns, then=[won(winner)])
    await ask(red)
    spectator = await watch_game(server, red, yellow)
    opener, stayer = pair(seat, red, yellow)
    await stand_up(opener)
    await hear(stayer)
    # The score of who stays stays, the newcomer has won nothing.
    begun = started("yellow", **{other(seat): int(winner != seat)})
    newcomer, events = await sit_down(server, seat, init)
    told = present("red", "yellow", spectators=2)
    assert events == [begun, told]
    for client in (stayer, opener, spectator):
        assert (await hear(client))[-2:] == [begun, told]
    # Nobody has asked for a rematch of this one.
    players = [newcomer, stayer] if seat == "red" else [stayer, newcomer]
    await play_all(*players, RED_WINS, first="yellow", then=[won("yellow")])
    await ask(newcomer)
    assert await hear(newcomer) == [asked(seat)]


@SEATS
async def test_newcomer_goes_on_with_a_game_that_is_not_over(server, seat):
    red, yellow, init = await start_game(server)
    await play_all(red, yellow, RED_WINS, then=[won("red")])
    await begin_rematch(red, yellow, started("yellow", red=1))
    await play_all(red, yellow, [3, 4], first="yellow")
    opener, stayer = pair(seat, red, yellow)
    await stand_up(opener)
    await hear(stayer)
    newcomer, events = await sit_down(server, seat, init)
    reds = int(seat == "yellow")
    told = present("red", "yellow", spectators=1)
    assert events == [
        started("yellow", red=reds),
        *played(3, 4, first="yellow"),
        told,
    ]
    # The others see the score when the next game begins.
    assert await hear(stayer) == [told]
    red, yellow = pair(seat, newcomer, stayer)
    for number, column in enumerate([3, 4, 3, 4, 3]):
        mover = [yellow, red][number % 2]
        await mover.play(column)
        await hear(mover)
    await ask(red)
    assert (await hear(red))[-1] == asked("red")
    await ask(yellow)
    assert (await hear(yellow))[-1] == started("red", red=reds, yellow=1)


@SEATS
async def test_who_comes_back_by_key_begins_no_new_game_and_keeps_the_score(
    server, seat
):
    red, yellow, init = await start_game(server)
    await play_all(red, yellow, RED_WINS, then=[won("red")])
    opener, stayer = pair(seat, red, yellow)
    await stand_up(opener)
    # The newcomer's seat is open, but has a key.
    newcomer, events = await sit_down(server, seat, init)
    await leave(server, newcomer)
    await hear(stayer)
    newcomer = await come_back(server, newcomer)
    assert await hear(newcomer) == [newcomer.init, *events]
    assert await hear(stayer) == [events[-1]]


async def test_winner_s_score_grows_from_challenger_to_challenger(server):
    red, challenger, init = await start_game(server)
    for number in range(4):
        first = ["red", "yellow"][number % 2]
        columns = [*RED_WINS] if first == "red" else [6, *RED_WINS]
        await play_all(red, challenger, columns, first, then=[won("red")])
        await stand_up(challenger)
        await challenger.close()
        challenger, events = await sit_down(server, "yellow", init)
        assert events[0] == started(other(first), red=number + 1)
        await hear(red)
