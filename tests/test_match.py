"""Tests of a match by itself, at which people sit who have no socket."""

import json

import pytest

from connect4 import Refused
from events import DRAW, asked, played, present, started, won
from helpers import DRAWN, RED_WINS
from match import Match


class Somebody:
    """A connection that has ended: nothing is sent to it."""

    subprotocol = None


def start_match(*players, columns=(), code="k7qx2m"):
    """Return a match at which these players sit, when moves were played."""
    match = Match(code)
    for player in players:
        match.enter(Somebody(), player)
    for column in columns:
        match.play(match.game.turn, column)
    return match


def test_yellow_s_seat_is_open_until_yellow_moves():
    match = start_match("red", "yellow", columns=[3])
    with pytest.raises(Refused):
        match.play("yellow", 7)
    assert match.find_seats(match.code) == ["yellow"]
    match.play("yellow", 3)
    assert match.find_seats(match.code) == []


@pytest.mark.parametrize(
    ("here", "seats"),
    [
        ([], ["red", "yellow"]),
        (["red"], ["yellow", "red"]),
        (["yellow", "red"], ["red", "yellow"]),
    ],
)
def test_free_seats_come_first_and_then_red_before_yellow(here, seats):
    match = start_match(*here)
    match.open = {"yellow", "red"}
    assert match.find_seats(match.code) == seats
    free = [seat for seat in ("red", "yellow") if seat not in here]
    assert json.loads(match.presence()) == present(*sorted(here), open=free)


# Who is here, which seat is to be opened, by whom, and why it isn't.
REFUSED = [
    (["red", "yellow"], "yellow", "red", "Yellow is here."),
    (["red", "yellow"], "red", "yellow", "Red is here."),
    (["red", "yellow"], "yellow", None, "Red is here."),
    (["yellow"], "red", None, "Yellow is here."),
    (["red"], "yellow", None, "Red is here."),
    (["red"], "green", "red", 'A seat is "red" or "yellow".'),
    ([], ["red"], None, 'A seat is "red" or "yellow".'),
]


@pytest.mark.parametrize(("here", "seat", "player", "message"), REFUSED)
def test_seat_that_may_not_be_opened_stays_as_it_is(here, seat, player, message):
    match = start_match(*here, columns=RED_WINS)
    match.rematch = ["yellow", "red"]
    with pytest.raises(Refused) as refused:
        match.open_seat(seat, player)
    assert str(refused.value) == message
    assert (match.open, match.rematch) == (set(), ["yellow", "red"])
    assert [*match.players] == here


def test_who_opens_their_own_seat_watches_and_asks_for_no_rematch():
    match = start_match("red", "yellow", columns=RED_WINS)
    match.ask_rematch("red")
    match.open_seat("red", "red")
    assert (match.open, match.rematch) == ({"red"}, [])
    assert [*match.connected.values()] == [None, "yellow"]


@pytest.mark.parametrize("columns", [RED_WINS, DRAWN])
def test_who_moved_second_moves_first_in_the_next_game(columns):
    match = start_match("red", "yellow", columns=columns)
    match.ask_rematch("red")
    match.ask_rematch("yellow")
    assert (match.game.first, match.game.moves) == ("yellow", [])


def test_score_is_that_before_the_game_and_a_newcomer_has_none():
    match = start_match("red", "yellow")
    for number, first in enumerate(["red", "yellow", "red"]):
        assert json.loads(match.start()) == started(first, red=number)
        for column in RED_WINS if first == "red" else [6, *RED_WINS]:
            match.play(match.game.turn, column)
        assert json.loads(match.start()) == started(first, red=number)
        match.ask_rematch("red")
        match.ask_rematch("yellow")
    # Red wins again, and yellow makes room; then so does red, while a game goes on.
    for column in [6, *RED_WINS]:
        match.play(match.game.turn, column)
    match.go_on(newcomer="yellow")
    assert json.loads(match.start()) == started("red", red=4)
    match.play("red", 3)
    match.go_on(newcomer="red")
    assert json.loads(match.start()) == started("red")
    assert len(match.game.moves) == 1


@pytest.mark.parametrize(
    ("columns", "end", "base_end"),
    [([3, 3], [], []), (RED_WINS, [won("red")], [won("red")]), (DRAWN, [DRAW], [])],
)
def test_past_is_all_since_the_game_began(columns, end, base_end):
    match = start_match(columns=columns)
    if end:
        # Who asked first is told first.
        match.rematch += ["yellow", "red"]
        end = [*end, asked("yellow"), asked("red")]
    page, base = [[*map(json.loads, match.past(page=each))] for each in (True, False)]
    assert page == [started(), *played(*columns), *end]
    assert base == [*played(*columns), *base_end]
