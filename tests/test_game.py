"""
Tests of game.js, without a server: events go in, sentences come out.

``tell()`` folds steps into a state: a step is an event, what the connection does, a
number of moves to look back to, or what the page knows from its address.

"""

import pytest

from helpers import DRAW, DRAWN, RED_WINS, asked, played, present, started

BOTH = present("red", "yellow")


def init(player, invite=None):
    keys = {"join": "j", "watch": "w", "rejoin": "r", "host": None}
    return {"type": "init", "player": player, "invite": invite, **keys}


def past(player, *events, presence=BOTH, invite=None, **wins):
    """Return what a new connection is told, to whoever this is."""
    seat = [] if player is None else [init(player, invite)]
    return ["open", *seat, started(**wins), *events, presence]


def alone(*events):
    """Return what the first player is told before somebody has come."""
    return past("red", *events, presence=present("red"), invite="k7qx2m")


def error(message, **details):
    return {"type": "error", "message": message, **details}


GONE = error("Game not found.")
NO_GAME = error("This server begins no game any more.")
TAKEN = error("The game already has this player.", watch="w")
TURN = error("It isn't your turn.")
WON = played(*RED_WINS)
ELSEWHERE = {"elsewhere": True}

FOLD = """async (steps) => {
    const game = await import("/game.js");
    let state = game.INITIAL_STATE;
    for (const step of steps) {
        state = typeof step === "string"
            ? game.updateConnection(state, step)
            : typeof step === "number"
              ? game.lookBack(state, step)
              : step.type === undefined
                ? { ...state, ...step }
                : game.update(state, step);
    }
    return {
        phase: game.phase(state),
        said: Object.values(game.sentences(state)).filter(Boolean).join(" "),
        title: game.title(state),
        spectators: game.describeSpectators(state),
        columns: game.playableColumns(state),
        rematch: game.canAskRematch(state),
        gone: game.isGone(state),
        moves: state.moves.length,
        score: game.score(state),
        shown: game.canLookBack(state) ? game.shownMoves(state).length : null,
        line: state.winner === null ? 0 : game.winningLine(state).length,
    };
}"""


@pytest.fixture
async def tell(open_page, site):
    """A function that returns what is to be seen after some steps."""
    page = await open_page(site.url + "favicon.svg")

    async def tell(*steps):
        return await page.evaluate(FOLD, list(steps))

    return tell


# Steps; then the phase, and all that is said.
STORIES = [
    ([], "connecting", "Connecting…"),
    (["open"], "connecting", "Connecting…"),
    (
        alone(),
        "waiting",
        "You are red. Waiting for yellow to join. You move first.",
    ),
    (
        alone(*played(3)),
        "waiting",
        "You are red. You played column 4. Waiting for yellow to join.",
    ),
    (
        past("red", presence=present("red")),
        "away",
        "You are red. Your turn. Yellow has left and may come back.",
    ),
    (
        [*alone(), BOTH],
        "ours",
        "You are red. Yellow has joined. Your turn.",
    ),
    (past("yellow"), "theirs", "You are yellow. Red's turn."),
    (
        past("yellow", presence=present("yellow")),
        "away",
        "You are yellow. Red has left and may come back.",
    ),
    (
        [*past("yellow"), present("yellow"), BOTH],
        "theirs",
        "You are yellow. Red is back. Red's turn.",
    ),
    (
        [*past("red"), present("red")],
        "away",
        "You are red. Your turn. Yellow has left and may come back.",
    ),
    (past(None), "watching", "You are watching. Red's turn."),
    (
        [*past("yellow"), *played(3)],
        "ours",
        "You are yellow. Red played column 4. Your turn.",
    ),
    (
        [*past("red"), *played(3)],
        "theirs",
        "You are red. You played column 4. Yellow's turn.",
    ),
    (
        past("red", *WON),
        "won",
        "You are red. You played column 1. You win! One game to none.",
    ),
    (
        past("yellow", *WON),
        "lost",
        "You are yellow. Red played column 1. Red wins! One game to none.",
    ),
    (
        past(None, *WON),
        "over",
        "You are watching. Red played column 1. Red wins! One game to none.",
    ),
    (
        past("red", *played(*DRAWN), DRAW),
        "drawn",
        "You are red. Yellow played column 3. It's a draw.",
    ),
    (
        past("red", *WON, asked("red")),
        "won",
        "You are red. You played column 1. You win! One game to none. "
        "You asked for a rematch.",
    ),
    (
        [*past("red", *WON), asked("yellow")],
        "won",
        "You are red. You played column 1. You win! One game to none. "
        "Yellow wants a rematch.",
    ),
    (
        [*past("red", *WON), asked("red"), asked("yellow"), started("yellow")],
        "theirs",
        "You are red. A new game begins. Yellow's turn.",
    ),
    (
        [*past("yellow"), TURN],
        "theirs",
        "You are yellow. Red's turn. It isn't your turn.",
    ),
    ([*past("yellow"), TURN, *played(3)], "ours", None),
    # The connection
    (
        [*past("red"), "reconnecting"],
        "reconnecting",
        "The connection is lost. Reconnecting…",
    ),
    (
        [*past("red"), "stopped"],
        "stopped",
        "The server has stopped, and this game is gone. Waiting for the server…",
    ),
    (
        [*past("red", *WON), "stopped"],
        "stopped",
        "The server has stopped, and this game is gone. You win! "
        "Waiting for the server…",
    ),
    (
        [*past("red"), "reconnecting", "open", init("red"), started()],
        "reconnecting",
        "The connection is lost. Reconnecting…",
    ),
    (
        [*past("red"), "reconnecting", *past("red", *played(3))],
        "theirs",
        "You are red. You played column 4. Yellow's turn.",
    ),
    # What ends it
    (
        ["open", GONE, "closed"],
        "gone",
        "This game is gone. You can start a new one.",
    ),
    (
        [{"invited": True}, "open", GONE, "closed"],
        "gone",
        "There is no game at this address, or somebody else has joined it. "
        "You can start a new one.",
    ),
    (
        [{"invited": True}, *past("yellow"), "reconnecting", "open", GONE, "closed"],
        "gone",
        "This game is gone. You can start a new one.",
    ),
    (
        [*past("red", *WON), "reconnecting", "open", GONE, "closed"],
        "gone",
        "This game is gone. You can start a new one. You win!",
    ),
    (
        ["open", NO_GAME, "closed"],
        "gone",
        "This server begins no game any more.",
    ),
    # There may be other servers.
    (
        [ELSEWHERE, "open", NO_GAME, "closed"],
        "gone",
        "This server begins no game any more. You can start one on another.",
    ),
    (
        [ELSEWHERE, *past("red"), "reconnecting"],
        "reconnecting",
        "The connection is lost. Reconnecting… "
        "If it stays lost, you can start a new game.",
    ),
    (
        [ELSEWHERE, *past("red"), "stopped"],
        "stopped",
        "The server has stopped, and this game is gone. You can start a new one.",
    ),
    (
        ["open", TAKEN, "closed"],
        "taken",
        "Both seats are taken, perhaps by you in another tab. You can watch.",
    ),
    (
        [*past(None), error("All have left."), "closed"],
        "gone",
        "All have left. You can start a new one.",
    ),
    (
        [*past("red"), TURN, "reconnecting", "open", "closed"],
        "gone",
        "This game is gone. You can start a new one.",
    ),
    (["closed"], "gone", "This game is gone. You can start a new one."),
    (
        ["open", error("Too late."), "reconnecting"],
        "reconnecting",
        "The connection is lost. Reconnecting…",
    ),
    (["open", error("Too late."), "reconnecting", *past("red")], "ours", None),
]


async def test_phase_and_sentences_follow_from_what_happened(tell):
    for steps, phase, said in STORIES:
        seen = await tell(*steps)
        assert seen["phase"] == phase, steps
        assert said is None or seen["said"] == said, steps


async def test_move_is_possible_on_our_turn_in_columns_that_are_not_full(tell):
    every = list(range(7))
    full = played(0, 0, 0, 0, 0, 0)
    for steps, columns in [
        (past("red"), every),
        (past("yellow"), []),
        (past(None), []),
        (past("red", *full), every[1:]),
        (past("red", *WON), []),
        ([*past("red"), "reconnecting"], []),
        ([*past("red"), "reconnecting", "open", init("red"), started()], []),
    ]:
        assert (await tell(*steps))["columns"] == columns, steps


async def test_rematch_is_offered_to_a_player_who_has_not_asked(tell):
    for steps, offered in [
        (past("red", *WON), True),
        ([*past("red", *WON), "reconnecting"], True),
        ([*past("red", *WON), "stopped"], False),
        (past("red", *WON, asked("yellow")), True),
        (past("red", *WON, asked("red")), False),
        (past(None, *WON), False),
        (past("red", *WON[:-1]), False),
    ]:
        assert (await tell(*steps))["rematch"] == offered, steps


async def test_past_is_shown_when_it_is_complete(tell):
    again = past("red", *played(3, 3, 4))
    for end, moves in [(-1, 2), (None, 3)]:
        steps = [*past("red", *played(3, 3)), "reconnecting", *again[:end]]
        assert (await tell(*steps))["moves"] == moves


async def test_game_is_gone_for_good_only_if_it_is_not_found(tell):
    for last, gone in [(GONE, True), (TAKEN, False), (error("All left."), False)]:
        assert (await tell("open", last))["gone"] is False
        assert (await tell("open", last, "closed"))["gone"] is gone
        assert (await tell("open", last, "reconnecting"))["gone"] is False


async def test_winner_and_line_are_known_before_the_win_is_announced(tell):
    seen = await tell(*past("yellow", *WON))
    assert (seen["phase"], seen["line"]) == ("lost", 4)
    seen = await tell(*past("yellow", *WON), {"type": "win", "player": "red"})
    assert (seen["phase"], seen["line"]) == ("lost", 4)
    # The last checker may join what is left and right of it.
    seven = [0, 0, 1, 1, 2, 2, 4, 4, 5, 5, 6, 6, 3]
    assert (await tell(*past("red", *played(*seven))))["line"] == 7


async def test_score_is_told_when_a_game_ends(tell):
    for wins, end, score, said in [
        ({}, [], [0, 0], ""),
        ({}, WON, [1, 0], "Red wins! One game to none."),
        ({"red": 1, "yellow": 1}, WON, [2, 1], "Red wins! Two games to one."),
        ({"yellow": 2}, WON, [1, 2], "Red wins! One game to two."),
        ({"yellow": 1}, WON, [1, 1], "Red wins! One game each."),
        ({"red": 11}, WON, [12, 0], "Red wins! 12 games to none."),
        ({}, [*played(*DRAWN), DRAW], [0, 0], "It's a draw."),
        (
            {"red": 1, "yellow": 3},
            [*played(*DRAWN), DRAW],
            [1, 3],
            "It's a draw. Three games to one for yellow.",
        ),
    ]:
        seen = await tell(*past("yellow", *end, **wins))
        assert [*seen["score"].values()] == score
        assert seen["said"].endswith(said)


async def test_one_looks_back_when_the_game_is_over_or_as_a_spectator(tell):
    for steps, shown in [
        (past("red", *played(3, 3)), None),
        (past(None), None),
        (past(None, *played(3, 3)), 2),
        ([*past(None, *played(3, 3)), 1], 1),
        ([*past(None, *played(3, 3)), 0], 0),
        ([*past(None, *played(3, 3)), -1], 0),
        ([*past(None, *played(3, 3)), 3], 2),
        # What happens now is shown to who isn't looking back.
        ([*past(None, *played(3, 3)), 1, played(3, 3, 4)[-1]], 1),
        ([*past(None, *played(3, 3)), 2, played(3, 3, 4)[-1]], 3),
        ([*past(None, *played(3, 3)), "reconnecting"], None),
        (past("red", *WON), 7),
        ([*past("red", *WON), 5], 5),
        ([*past("red", *WON), 5, "reconnecting"], 5),
        ([*past("red", *WON), 5, "stopped"], 5),
        ([*past("red", *WON), 5, "reconnecting", "open", GONE, "closed"], 5),
        ([*past("red", *played(3, 3)), "stopped"], None),
        ([*past("red", *WON), 5, asked("red"), asked("yellow"), started()], None),
    ]:
        assert (await tell(*steps))["shown"] == shown, steps


async def test_title_tells_whose_turn_it_is_and_who_has_won(tell):
    for steps, title in [
        ([], "Connect Four"),
        (alone(), "Connect Four"),
        (past("red"), "Your turn – Connect Four"),
        (past("yellow"), "Connect Four"),
        (past("yellow", *WON), "Red wins – Connect Four"),
    ]:
        assert (await tell(*steps))["title"] == title


async def test_spectators_are_counted_without_oneself(tell):
    for player, number, text in [
        ("red", 0, ""),
        ("red", 1, "1 person is watching."),
        ("red", 2, "2 people are watching."),
        (None, 1, ""),
        (None, 2, "You and 1 other are watching."),
        (None, 3, "You and 2 others are watching."),
    ]:
        here = present("red", "yellow", spectators=number)
        assert (await tell(*past(player, presence=here)))["spectators"] == text
