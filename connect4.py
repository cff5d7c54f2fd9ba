"""
The rules of Connect Four.

A board has 7 columns, numbered 0 to 6 from the left, and 6 rows, numbered 0
to 5 from the bottom. Two players drop a checker in turn; whoever gets four in
a line first (across, up or diagonally) wins.

"""

PLAYERS = PLAYER1, PLAYER2 = "red", "yellow"
OPPONENT = {PLAYER1: PLAYER2, PLAYER2: PLAYER1}

COLUMNS, ROWS = 7, 6

# The checkers of a player are the bits of an integer. These are their numbers:
#
#      6 13 20 27 34 41 48    never set: a line that leaves the board
#      5 12 19 26 33 40 47    at the top meets a hole here before it
#      4 11 18 25 32 39 46    comes back at the bottom of the next column
#      3 10 17 24 31 38 45
#      2  9 16 23 30 37 44
#      1  8 15 22 29 36 43
#      0  7 14 21 28 35 42
#
# so that the neighbours of a cell are these distances away: up, across, and on
# the diagonals that go up and down.
COLUMN = ROWS + 1
DISTANCES = 1, COLUMN, COLUMN + 1, COLUMN - 1


class Refused(ValueError):
    """What can't be accepted, like a move. Its message is a sentence for a player."""


class Connect4:
    """
    A game of Connect Four.

    ``first`` is the player who moves first: ``PLAYER1`` or ``PLAYER2``.

    ``moves`` lists the moves so far, as ``(player, column, row)``. ``winner``
    is the player who won, or :obj:`None` as long as nobody has.

    """

    def __init__(self, first=PLAYER1):
        self.first = first
        self.moves = []
        self.winner = None
        self.heights = [0] * COLUMNS
        self.checkers = dict.fromkeys(PLAYERS, 0)

    @property
    def turn(self):
        """The player whose turn it is; of no meaning when the game is over."""
        return OPPONENT[self.moves[-1][0]] if self.moves else self.first

    @property
    def over(self):
        """Whether the game has ended, by a win or by a full board."""
        return self.winner is not None or len(self.moves) == COLUMNS * ROWS

    def play(self, player, column):
        """
        Drop a checker of ``player`` in ``column``.

        Return the row where it lands.

        Raise :exc:`Refused`, and leave the game as it was, if ``column``
        isn't an integer from 0 to 6, if the game is over, if it isn't the
        player's turn, or if the column is full; checked in that order.

        """
        # True and False are integers in Python, but no columns.
        if type(column) is not int or not 0 <= column < COLUMNS:
            raise Refused(f"A column is an integer from 0 to {COLUMNS - 1}.")
        if self.over:
            raise Refused("The game is over.")
        if player != self.turn:
            raise Refused("It isn't your turn.")
        row = self.heights[column]
        if row == ROWS:
            raise Refused("This slot is full.")

        self.heights[column] += 1
        self.checkers[player] |= 1 << column * COLUMN + row
        self.moves.append((player, column, row))
        if four_in_line(self.checkers[player]):
            self.winner = player
        return row


def four_in_line(checkers):
    """Tell whether four of ``checkers``, an integer as drawn above, are in line."""
    for distance in DISTANCES:
        # Two in line, and two steps further two more.
        pairs = checkers & checkers >> distance
        if pairs & pairs >> 2 * distance:
            return True
    return False
