"""Tests of a match by itself, at which people sit who have no socket."""

import json

import pytest

from connect4 import IllegalMove
from helpers import DRAW, DRAWN, RED_WINS, asked, played, present, started, won
from match import Match, Refused


def open_match(*players):
    """Return a match with a code, at which these players sit."""
    match = Match("k7qx2m")
    for player in players:
        match.enter(Somebody(), player)
    return match


class Somebody:
    """A connection that has ended: nothing is sent to it."""

    subprotocol = None


def play_all(match, columns):
    for column in columns:
        match.play(match.game.turn, column)


def told(events):
    return [json.loads(event) for event in events]


def test_yellow_s_seat_is_open_until_yellow_moves():
    match = open_match("red", "yellow")
    assert match.open_seats() == ["yellow"]
    match.play("red", 3)
    with pytest.raises(IllegalMove):
        match.play("yellow", 7)
    assert match.open_seats() == ["yellow"]
    match.play("yellow", 3)
    assert match.open_seats() == []


@pytest.mark.parametrize(
    ("here", "seats"),
    [
        ([], ["red", "yellow"]),
        (["red"], ["yellow", "red"]),
        (["yellow"], ["red", "yellow"]),
        (["red", "yellow"], ["red", "yellow"]),
    ],
)
def test_free_seats_come_first_and_then_red_before_yellow(here, seats):
    match = open_match(*here)
    match.open = {"yellow", "red"}
    assert match.open_seats() == seats
    free = [seat for seat in ("red", "yellow") if seat not in here]
    assert json.loads(match.presence()) == present(*here, open=free)


@pytest.mark.parametrize(
    ("here", "seat", "player", "message"),
    [
        (["red", "yellow"], "yellow", "red", "Yellow is here."),
        (["red", "yellow"], "red", "yellow", "Red is here."),
        (["red", "yellow"], "yellow", None, "Red is here."),
        (["yellow"], "red", None, "Yellow is here."),
        (["red"], "green", "red", 'A seat is "red" or "yellow".'),
        (["red"], None, "red", 'A seat is "red" or "yellow".'),
        ([], ["red"], None, 'A seat is "red" or "yellow".'),
    ],
)
def test_seat_that_may_not_be_opened_stays_as_it_is(here, seat, player, message):
    match = open_match(*here)
    play_all(match, RED_WINS)
    match.rematch = ["yellow", "red"]
    with pytest.raises(Refused) as refused:
        match.open_seat(seat, player)
    assert str(refused.value) == message
    assert (match.open, match.rematch) == (set(), ["yellow", "red"])
    assert [*match.players] == here


def test_match_without_a_code_has_no_open_seats():
    match = Match()
    assert match.open_seats() == []
    with pytest.raises(Refused):
        match.open_seat("yellow", None)


def test_who_opens_their_own_seat_watches():
    match = open_match("red", "yellow")
    match.open_seat("red", "red")
    assert [*match.connected.values()] == [None, "yellow"]
    assert json.loads(match.presence()) == present("yellow", open=["red"], spectators=1)


def test_score_is_that_before_the_game_and_a_newcomer_has_none():
    match = open_match("red", "yellow")
    for number, first in enumerate(["red", "yellow", "red"]):
        assert json.loads(match.start()) == started(first, red=number)
        play_all(match, RED_WINS if first == "red" else [6, *RED_WINS])
        assert json.loads(match.start()) == started(first, red=number)
        match.ask_rematch("red")
        match.ask_rematch("yellow")
    play_all(match, RED_WINS)
    # Yellow, who has just won for the first time, makes room; then so does red.
    match.make_room("yellow")
    assert json.loads(match.start()) == started("red", red=3)
    match.make_room("red")
    assert json.loads(match.start()) == started("red")
    assert match.game.moves == []


@pytest.mark.parametrize(
    ("columns", "end", "base_end"),
    [([3, 3], [], []), (RED_WINS, [won("red")], [won("red")]), (DRAWN, [DRAW], [])],
)
def test_past_is_all_since_the_game_began(columns, end, base_end):
    match = open_match("red", "yellow")
    play_all(match, columns)
    assert told(match.past(page=False)) == [*played(*columns), *base_end]
    wishes = ["yellow", "red"] if match.game.over else []
    match.rematch += wishes
    assert told(match.past(page=True)) == [
        started(),
        *played(*columns),
        *end,
        *map(asked, wishes),
    ]


def test_rematch_is_refused_before_the_end_and_to_who_asks_twice():
    match = open_match("red", "yellow")
    with pytest.raises(Refused):
        match.ask_rematch("red")
    play_all(match, RED_WINS)
    match.ask_rematch("red")
    with pytest.raises(Refused):
        match.ask_rematch("red")
    assert match.rematch == ["red"]
