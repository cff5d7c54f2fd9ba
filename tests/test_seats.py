"""
Tests of seats: who may sit where, by a key or by the code, and who makes room for whom.

How it's found out whether somebody who sits there has gone is in test_probes.py.

"""

import pytest

import app
from events import NOT_FOUND, other, played, present, started, waiting, won
from helpers import RED_WINS, V2, expect_all, play_moves

SEATS = pytest.mark.parametrize("seat", ["red", "yellow"])


def pair(seat, red, yellow):
    """Return who sits in a seat, and then the other player."""
    return (red, yellow) if seat == "red" else (yellow, red)


async def stand_up(player):
    """Have a player open their own seat; return what they hear as a spectator."""
    await player.open_seat(player.init["player"])
    while player.init["player"] is not None:
        await player.receive()
    return await player.hear()


async def sit_down(server, seat, code):
    """Return who takes a seat by the code, and what they hear then."""
    newcomer = await server.join(code, **V2)
    assert (await newcomer.receive())["player"] == seat
    return newcomer, await newcomer.hear()


# The key of a seat


@pytest.mark.parametrize("options", [V2, {"subprotocols": None}], ids=["page", "base"])
async def test_player_who_left_comes_back_by_key_and_plays_on(server, options):
    red, yellow = await server.start_game()
    await play_moves(red, yellow, [3, 4])
    await server.leave(yellow)
    # The game goes on meanwhile.
    *past, last = played(3, 4, 5, 6)
    await red.play(5)
    await red.expect(present("red"), past[-1])
    back = await server.come_back(yellow, **options)
    if options is V2:
        await back.expect(yellow.init, started())
    await back.expect(*past)
    await back.play(6)
    await red.expect(present("red", "yellow"), last)


# The code


async def test_code_is_easy_to_read_aloud_and_never_given_to_two_matches(
    server, monkeypatch
):
    _, init = await server.start(**V2)
    assert {*init["code"]} <= {*"23478abcdefhjkmnpqrtvwxy"}
    letters = iter("aaaaaaaaaaaabbbbbb")
    monkeypatch.setattr(app.secrets, "choice", lambda _: next(letters))
    codes = [(await server.start(**V2))[1]["code"] for _ in range(2)]
    assert codes == ["aaaaaa", "bbbbbb"]


async def test_code_leads_to_the_open_seat_or_to_watching(server):
    red, init = await server.start(**V2)
    code = init["code"].title()
    spectator = await server.watch(code, **V2)
    assert (await spectator.receive())["player"] is None
    # For base clients, too, who are told nothing of their seat.
    yellow, third = await server.join(code), await server.join(code)
    await red.receive_until(present("red", "yellow", spectators=2))
    await play_moves(red, yellow, [3, 4])
    await third.expect(*played(3, 4))
    await third.play(3)
    await third.expect_error("watching")
    # Nor are they told who waits.
    await red.open_seat("red")
    await red.hear()
    await expect_all([yellow])


# After how many moves what happens, and who somebody is then who has the code.
CHANGES = [
    (1, "yellow leaves", "yellow"),
    (2, "yellow leaves", None),
    (0, "red leaves, yellow leaves", "yellow"),
    (2, "red opens", "red"),
    (2, "red opens, yellow opens", "red"),
    (1, "yellow leaves, red opens", "red"),
]


@pytest.mark.parametrize(("moves", "changes", "player"), CHANGES)
async def test_code_leads_to_the_first_open_seat(server, moves, changes, player):
    red, yellow = await server.start_game()
    await play_moves(red, yellow, [3, 4][:moves])
    players = {"red": red, "yellow": yellow}
    keys = {each: players[each].init["rejoin"] for each in players}
    for who, what in map(str.split, changes.split(", ")):
        await (stand_up if what == "opens" else server.leave)(players[who])
    newcomer, events = await sit_down(server, player, red.init["code"])
    assert newcomer.init["code"] == red.init["code"]
    assert events[: moves + 1] == [started(), *played(3, 4)[:moves]]
    if player is not None:
        # Whoever sat there before has no key any more.
        assert newcomer.init["rejoin"] != keys[player]
        third = await server.join(keys[player], **V2)
        await third.expect_refusal(NOT_FOUND)


# Opening seats


@SEATS
async def test_who_opens_their_own_seat_watches_and_has_no_key(server, seat):
    red, yellow = await server.start_game()
    await play_moves(red, yellow, [3, 3])
    opener, stayer = pair(seat, red, yellow)
    key, others = opener.init.pop("rejoin"), {**opener.init, "player": None}
    told = present(other(seat), open=[seat], spectators=1)
    assert await stand_up(opener) == [started(), *played(3, 3), told]
    assert opener.init == others
    # Whoever stays waits for somebody else.
    await expect_all([stayer], told, waiting())
    await opener.play(3)
    await opener.expect_error("watching")
    third = await server.join(key, **V2)
    await third.expect_refusal(NOT_FOUND)
    # The other key isn't unknown.
    await server.leave(stayer)
    back = await server.come_back(stayer)
    await back.expect(stayer.init)


async def test_seat_of_who_is_away_can_be_opened_by_the_other_or_a_spectator(server):
    red, yellow = await server.start_game()
    await play_moves(red, yellow, [3, 4])
    spectator = await server.watch_game(red, yellow)
    await server.leave(red)
    await yellow.expect(present("yellow", spectators=1))
    await yellow.open_seat("red")
    await yellow.expect(present("yellow", open=["red"], spectators=1), waiting())
    await (await server.come_back(red)).expect_refusal(NOT_FOUND)
    # To open it again is no error, and nothing new.
    await yellow.open_seat("red")
    await expect_all([yellow, yellow])
    await server.leave(yellow)
    await spectator.open_seat("yellow")
    await spectator.receive_until(present(open=["red", "yellow"], spectators=1))


# Taking turns


@SEATS
async def test_newcomer_begins_a_new_game_after_one_that_is_over(server, seat):
    red, yellow = await server.start_game()
    await play_moves(red, yellow, RED_WINS, then=[won("red")])
    await red.ask()
    opener, stayer = pair(seat, red, yellow)
    await stand_up(opener)
    await stayer.hear()
    # The score of who stays stays, the newcomer has won nothing.
    begun = started("yellow", red=int(seat == "yellow"))
    told = present("red", "yellow", spectators=1)
    newcomer, events = await sit_down(server, seat, red.init["code"])
    assert events == [begun, told]
    for client in (stayer, opener):
        assert (await client.hear())[-2:] == [begun, told]
    # The newcomer's seat is open, but has a key, by which no game begins.
    await server.leave(newcomer)
    await stayer.hear()
    newcomer = await server.come_back(newcomer)
    assert await newcomer.hear() == [newcomer.init, *events]
    await expect_all([stayer], told)
