"""Tests of the rules, against published counts and plain geometry."""

import copy
import itertools
import random

import pytest

import connect4
from connect4 import COLUMNS, PLAYER1, PLAYER2, ROWS, Connect4, Refused

# See the table in the tutorial of any solver, and OEIS A212693 for positions.
SEQUENCES = [1, 7, 49, 343, 2_401, 16_807, 117_649, 823_536, 5_673_234]
POSITIONS = [1, 7, 49, 238, 1_120, 4_263, 16_422, 54_859, 184_275]

CELLS = [(column, row) for column in range(COLUMNS) for row in range(ROWS)]

# The winning lines, each a set of four cells (column, row), by their direction.
LINES = [
    [
        {(column + across * i, row + up * i) for i in range(4)}
        for column, row in CELLS
        if column + 3 * across < COLUMNS and 0 <= row + 3 * up < ROWS
    ]
    for across, up in [(1, 0), (0, 1), (1, 1), (1, -1)]
]

RED_WINS = [0, 1, 0, 1, 0, 1, 0]
DRAWN = [int(column) for column in "063055116230561251554304342313166024464022"]
WON_AT_LAST = [int(column) for column in "406655425614525663443422220511611301033003"]


def play(columns, first=PLAYER1):
    """Return a game in which the players moved in turn in these columns."""
    game = Connect4(first)
    for column in columns:
        game.play(game.turn, column)
    return game


def test_either_player_may_be_first_and_checkers_land_on_top_of_others():
    game = Connect4("yellow")
    moves = ("yellow", 3), ("red", 3), ("yellow", 0)
    assert [game.play(*move) for move in moves] == [0, 1, 0]
    assert game.moves == [("yellow", 3, 0), ("red", 3, 1), ("yellow", 0, 0)]
    assert (game.first, game.turn) == ("yellow", "red")


@pytest.mark.parametrize("column", [-1, 7, 3.0, "3", True, None, []])
def test_column_must_be_an_integer_from_0_to_6(column):
    with pytest.raises(Refused, match="0 to 6"):
        Connect4().play(PLAYER1, column)


# Moves so far, who moves then, where, and why they may not. What comes first in the
# order of checks is told: valid column, game over, turn, full column.
REFUSED = [
    ([0], PLAYER1, 1, "It isn't your turn."),
    ([0, 0, 0, 0, 0, 0], PLAYER1, 0, "This slot is full."),
    (RED_WINS, PLAYER2, 1, "The game is over."),
    (DRAWN, PLAYER1, 0, "The game is over."),
    (RED_WINS, PLAYER2, 7, "A column is an integer from 0 to 6."),
    (RED_WINS, PLAYER1, 0, "The game is over."),
    ([0, 0, 0, 0, 0, 0], PLAYER2, 0, "It isn't your turn."),
]


@pytest.mark.parametrize(("columns", "player", "column", "message"), REFUSED)
def test_illegal_move_is_refused_and_leaves_no_trace(columns, player, column, message):
    game = play(columns)
    before = repr(vars(game))
    # The tutorial catches this.
    with pytest.raises(ValueError, match=message):
        game.play(player, column)
    assert repr(vars(game)) == before


def test_there_are_69_lines_and_no_other_four_checkers_win():
    assert [len(lines) for lines in LINES] == [24, 21, 12, 12]
    lines = {frozenset(line) for line in itertools.chain(*LINES)}
    bits = {}
    for column, row in CELLS:
        game = Connect4()
        game.heights[column] = row
        game.play(PLAYER1, column)
        bits[column, row] = game.checkers[PLAYER1]
    for cells in itertools.combinations(CELLS, 4):
        checkers = sum(map(bits.get, cells))
        assert connect4.four_in_line(checkers) is (frozenset(cells) in lines)


def test_game_ends_as_soon_as_four_of_a_player_are_in_line():
    lines, rng = [*itertools.chain(*LINES)], random.Random(4)
    for _ in range(200):
        game = Connect4()
        while not game.over:
            free = [column for column in range(COLUMNS) if game.heights[column] < ROWS]
            player = game.turn
            game.play(player, rng.choice(free))
            cells = {move[1:] for move in game.moves if move[0] == player}
            won = any(line <= cells for line in lines)
            assert game.winner == (player if won else None)


@pytest.mark.parametrize(("columns", "winner"), [(DRAWN, None), (WON_AT_LAST, PLAYER2)])
def test_full_board_is_a_draw_unless_the_last_checker_wins(columns, winner):
    game = play(columns[:-1])
    assert (game.over, game.winner) == (False, None)
    game.play(game.turn, columns[-1])
    assert (game.over, game.winner) == (True, winner)


# A full column first matters at ply 7, a win at ply 8.
@pytest.mark.parametrize("plies", [6, pytest.param(8, marks=pytest.mark.slow)])
def test_move_sequences_and_positions_are_as_many_as_published(plies):
    # Games that lead to all different positions, and in how many ways one can.
    positions = {None: (Connect4(), 1)}
    for ply in range(plies + 1):
        assert len(positions) == POSITIONS[ply]
        assert sum(ways for _, ways in positions.values()) == SEQUENCES[ply]
        following = {}
        for game, ways in positions.values() if ply < plies else ():
            for column in range(COLUMNS):
                longer = copy.copy(game)
                for name in ("moves", "heights", "checkers"):
                    setattr(longer, name, getattr(game, name).copy())
                try:
                    longer.play(longer.turn, column)
                except Refused:
                    continue
                position = tuple(longer.checkers.values())
                _, ways_so_far = following.get(position, (None, 0))
                following[position] = longer, ways_so_far + ways
        positions = following
