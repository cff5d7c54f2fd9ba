"""Tests of the rules, against published counts and plain geometry."""

import copy
import random

import pytest

from connect4 import COLUMNS, PLAYER1, PLAYER2, ROWS, Connect4, IllegalMove

# See the table in the tutorial of any solver, and OEIS A212693 for positions.
SEQUENCES = [1, 7, 49, 343, 2_401, 16_807, 117_649, 823_536, 5_673_234]
POSITIONS = [1, 7, 49, 238, 1_120, 4_263, 16_422, 54_859, 184_275]

# The winning lines, each a set of four cells (column, row), by their direction.
LINES = {
    (across, up): [
        {(column + across * i, row + up * i) for i in range(4)}
        for column in range(COLUMNS)
        for row in range(ROWS)
        if column + 3 * across < COLUMNS and 0 <= row + 3 * up < ROWS
    ]
    for across, up in [(1, 0), (0, 1), (1, 1), (1, -1)]
}

ALL_LINES = [line for direction in LINES.values() for line in direction]

# Four cells at equal distances, counted up the columns or across the rows, that
# are no line because they leave the board at an edge and go on at another.
NEAR_MISSES = [
    cells
    for number, distances in [
        (lambda column, row: column * ROWS + row, (1, ROWS - 1, ROWS, ROWS + 1)),
        (lambda column, row: row * COLUMNS + column, (1, COLUMNS - 1, COLUMNS + 1)),
    ]
    for cell in [{number(c, r): (c, r) for c in range(COLUMNS) for r in range(ROWS)}]
    for distance in distances
    for first in range(COLUMNS * ROWS - 3 * distance)
    if (cells := {cell[first + distance * i] for i in range(4)}) not in ALL_LINES
]

DRAWN = [int(column) for column in "063055116230561251554304342313166024464022"]


def play(columns, first=PLAYER1):
    """Return a game in which the players moved in turn in these columns."""
    game = Connect4(first)
    for column in columns:
        game.play(game.turn, column)
    return game


def play_picture(picture):
    """
    Return a game that ended in this picture of a board, ``.`` where it is empty.

    Find an order of moves that leads to it, red first, without a win before
    the last move.

    """
    rows = [line.split() for line in reversed(picture.split("\n")) if line.strip()]
    colours = {"r": PLAYER1, "y": PLAYER2}
    stacks = [[colours[c] for c in column if c != "."] for column in zip(*rows)]  # noqa: B905
    moves = sum(map(len, stacks))

    def find(columns):
        game = play(columns)
        if len(columns) == moves:
            return game
        for column, stack in enumerate(stacks):
            height = columns.count(column)
            fits = not game.over and stack[height : height + 1] == [game.turn]
            if fits and (found := find([*columns, column])):
                return found
        return None

    game = find([])
    assert game is not None, "no game leads to this picture"
    return game


def test_red_and_yellow_play():
    assert (PLAYER1, PLAYER2) == ("red", "yellow")


def test_checker_lands_on_top_of_the_column():
    game = Connect4()
    assert game.play(PLAYER1, 3) == 0
    assert game.play(PLAYER2, 3) == 1
    assert game.play(PLAYER1, 0) == 0
    assert game.moves == [(PLAYER1, 3, 0), (PLAYER2, 3, 1), (PLAYER1, 0, 0)]


def test_either_player_may_be_first():
    game = Connect4(PLAYER2)
    assert (game.first, game.turn) == (PLAYER2, PLAYER2)
    assert play([3], PLAYER2).moves == [(PLAYER2, 3, 0)]
    assert play([3], PLAYER2).turn == PLAYER1


@pytest.mark.parametrize("column", [-1, 7, 3.0, "3", True, None, [], 10**400])
def test_column_must_be_an_integer_from_0_to_6(column):
    with pytest.raises(IllegalMove, match="0 to 6"):
        Connect4().play(PLAYER1, column)


@pytest.mark.parametrize(
    ("columns", "player", "column", "message"),
    [
        ([], PLAYER2, 0, "It isn't your turn."),
        ([0], PLAYER1, 1, "It isn't your turn."),
        ([0, 0, 0, 0, 0, 0], PLAYER1, 0, "This slot is full."),
        ([0, 1, 0, 1, 0, 1, 0], PLAYER2, 1, "The game is over."),
        (DRAWN, PLAYER1, 0, "The game is over."),
        # Valid column before game over, before turn, before full column.
        ([0, 1, 0, 1, 0, 1, 0], PLAYER2, 7, "A column is an integer from 0 to 6."),
        ([0, 1, 0, 1, 0, 1, 0], PLAYER1, 0, "The game is over."),
        ([0, 0, 0, 0, 0, 0], PLAYER2, 0, "It isn't your turn."),
    ],
)
def test_illegal_move_is_refused_and_leaves_no_trace(columns, player, column, message):
    game = play(columns)
    before = repr(vars(game))
    with pytest.raises(IllegalMove) as refusal:
        game.play(player, column)
    assert str(refusal.value) == message
    assert repr(vars(game)) == before


@pytest.mark.parametrize("caught", [RuntimeError, ValueError])
def test_illegal_move_is_caught_as_in_each_edition_of_the_tutorial(caught):
    with pytest.raises(caught):
        Connect4().play(PLAYER2, 0)


def test_there_are_69_lines():
    assert [len(lines) for lines in LINES.values()] == [24, 21, 12, 12]


def test_game_is_won_by_four_in_line_and_only_then():
    """
    Compare random games to the lines after each move.

    Go on until each line has won, and each near miss has not, for both players.

    """
    rng = random.Random(4)
    expected = {(player, i) for player in (PLAYER1, PLAYER2) for i in range(69)}
    expected_misses = {
        (player, i) for player in (PLAYER1, PLAYER2) for i in range(len(NEAR_MISSES))
    }
    while expected or expected_misses:
        game = Connect4()
        cells = {PLAYER1: set(), PLAYER2: set()}
        while not game.over:
            player, column = game.turn, rng.randrange(COLUMNS)
            if game.heights[column] < ROWS:
                cells[player].add((column, game.play(player, column)))
                won = [i for i, line in enumerate(ALL_LINES) if line <= cells[player]]
                assert game.winner == (player if won else None)
                expected -= {(player, i) for i in won}
        for player, i in list(expected_misses):
            if player != game.winner and NEAR_MISSES[i] <= cells[player]:
                expected_misses.remove((player, i))


@pytest.mark.parametrize(
    "picture",
    [
        # Up the left column, and on at the bottom of the next.
        """
        r . . . . . .
        r . . . . . .
        r . . . . . .
        y . . . y . .
        y . . . y . y
        y r . r r . r
        """,
        # Across the right edge, and on in the row above, or at the same height.
        """
        r . . . . . .
        y y . y r r r
        """,
        """
        . . . . . . y
        r y y y r r r
        """,
        # Up and down across the right edge.
        """
        . . . . . . .
        . . . . . . .
        y . . . . . r
        y . . . . r y
        r . . . r y y
        r y . . r y r
        """,
        """
        y . . . r . .
        r . . . y r .
        r . . . y y r
        r . . . r y y
        """,
        # Four, with a hole.
        """
        y y y . . . .
        r r r . r . .
        """,
    ],
)
def test_near_miss_does_not_win(picture):
    assert play_picture(picture).winner is None


def test_five_or_more_in_line_win():
    picture = """
        y y y . y y .
        r r r r r r .
        """
    assert play_picture(picture).winner == PLAYER1


def test_full_board_without_four_in_line_is_a_draw():
    game = Connect4()
    for column in DRAWN:
        assert not game.over
        game.play(game.turn, column)
    assert game.over
    assert game.drawn
    assert game.winner is None


def test_last_checker_on_the_board_can_win():
    rng = random.Random(6)
    while True:
        game = Connect4()
        while not game.over:
            column = rng.choice([c for c in range(COLUMNS) if game.heights[c] < ROWS])
            game.play(game.turn, column)
        if len(game.moves) == COLUMNS * ROWS and game.winner:
            break
    assert game.over
    assert not game.drawn


# A full column first matters at ply 7, a win at ply 8.
@pytest.mark.parametrize("plies", [7, pytest.param(8, marks=pytest.mark.slow)])
def test_move_sequences_and_positions_are_as_many_as_published(plies):
    # Games that lead to all different positions, and in how many ways one can.
    positions = {None: (Connect4(), 1)}
    published = list(zip(SEQUENCES, POSITIONS, strict=True))[: plies + 1]
    for sequences, count in published:
        assert len(positions) == count
        assert sum(ways for _, ways in positions.values()) == sequences
        if count == published[-1][1]:
            break
        following = {}
        for game, ways in positions.values():
            for column in range(COLUMNS):
                longer = copy_of(game)
                try:
                    longer.play(longer.turn, column)
                except IllegalMove:
                    continue
                position = tuple(longer.checkers.values())
                _, ways_so_far = following.get(position, (None, 0))
                following[position] = longer, ways_so_far + ways
        positions = following


def copy_of(game):
    """Return another game that stands as this one does."""
    copied = copy.copy(game)
    copied.moves = game.moves.copy()
    copied.heights = game.heights.copy()
    copied.checkers = game.checkers.copy()
    return copied
