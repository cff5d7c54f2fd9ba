"""
Stories of a page, without a server: what it's told, and what it shows and says then.

A story is a text, as ``red Ry; RY; 34; lost; red RY 345``. Who we are stands where a
connection tells us all; who is here, wherever it changes: ``R`` or ``Y`` if the player
is, ``r`` or ``y`` if the seat is free, ``-`` if it's neither; digits are moves.

"""

import re

from events import DRAW, asked, played, present, started, won

OPEN, CLOSED = {"connection": "open"}, {"connection": "closed"}


def past(player, here, columns="", code="k7qx2m", end=(), first="red", **wins):
    """Return what a new connection is told."""
    keys = {"rejoin": player and "key", "watch": "w", "code": code, "host": None}
    init = {"type": "init", "player": player, **keys}
    moves = played(*map(int, columns), first=first)
    return [OPEN, init, started(first, **wins), *moves, *end, presence(here)]


def presence(here):
    players = [player for player in ("red", "yellow") if player[0].upper() in here]
    free = [player for player in ("red", "yellow") if player[0] in here]
    return present(*players, open=free, spectators=2)


def error(message, **details):
    return {"type": "error", "message": message, **details}


# Steps of stories: events, states of the connection, and what we do.
STEPS = {
    "wins": won("red"),
    "draw": DRAW,
    "red asks": asked("red"),
    "yellow asks": asked("yellow"),
    "new game": started("yellow", red=1),
    "abc234 waits": {"type": "waiting", "code": "abc234"},
    "nobody waits": {"type": "waiting", "code": None},
    "not found": error("Game not found."),
    "taken": error("The game already has this player.", watch="w"),
    "refused": error("It isn't your turn."),
    "all left": error("Both players have left, and the game is gone."),
    "open": OPEN,
    "lost": {"connection": "reconnecting"},
    "stopped": {"connection": "stopped"},
    "closed": CLOSED,
    "we move": {"column": 3},
    "we invite": {"isInviting": True},
    "it's ours": {"isOurs": True},
    "hint": {"hint": "Column 2 is full."},
}

# Who is at a match that has no code, because a client of the base protocol started it.
SPECIAL = {"base": "yellow", "onlooker": None}

WHO = re.compile(
    r"(red|yellow|spectator|base|onlooker) ([Rr-][Yy-]) ?(\d*)( wins| draw)?"
)


def parse(story):
    """Return the steps of a story."""
    columns, first = "", "red"
    for part in story.split("; ") if story else []:
        if match := WHO.fullmatch(part):
            name, here, columns, end = match.groups()
            player = {**SPECIAL, "spectator": None}.get(name, name)
            code = None if name in SPECIAL else "k7qx2m"
            end, first = [STEPS[end.strip()]] if end else [], "red"
            yield from past(player, here, columns, code, end)
        elif part.isdigit():
            moves = played(*map(int, columns + part), first=first)
            yield from moves[len(columns) :]
            columns += part
        elif part[:3] == "at ":
            yield {"back": int(part[3:])}
        elif part in STEPS:
            yield STEPS[part]
            if part == "new game":
                columns, first = "", "yellow"
        else:
            assert re.fullmatch("[Rr-][Yy-]", part), part
            yield presence(part)


FOLD = """async (steps) => {
    const game = await import("/page/game.js");
    const { describe } = await import("/page/view.js");
    const { describeRefusal } = await import("/page/words.js");
    let state = { ...game.INITIAL_STATE, address: "10.0.0.1:8000" };
    const follow = (step) =>
        step.type ? game.update(state, step, 1000)
        : step.connection ? game.updateConnection(state, step.connection)
        : step.back !== undefined ? game.lookBack(state, step.back)
        : step.column !== undefined ? game.sendMove(state, step.column)
        : { ...state, ...step };
    const told = [describe(state).said];
    for (const step of steps) {
        state = follow(step);
        told.push(describe(state).said);
    }
    const { act, board, plates, lobby, review, quiet, ...seen } = describe(state);
    const names = (all) => Object.keys(all ?? {}).filter((name) => all[name]).join(" ");
    const each = Object.values(plates);
    const { sign } = board;
    return {
        ...seen,
        act: act ? act.label + (act.look === "key" ? "" : ` (${act.look})`) : "–",
        name: act?.name ?? "–",
        report: told.filter((said, i) => said && said !== told[i - 1]),
        moves: String(board.moves.length),
        line: board.line.map(({ column, row }) => `${column}${row}`).join(" "),
        playable: board.playable.join(""),
        hand: String(board.hand),
        ghost: board.ghost ? `${board.ghost.column}${board.ghost.row}` : "–",
        sign: sign ? `${sign.text} ${sign.player}${board.celebrates ? "!" : ""}` : "–",
        refusal: describeRefusal(state, 0),
        sent: state.sent ? "sent" : "–",
        plates: each.map(({ said, marks }) => `${said} (${names(marks)})`).join("; "),
        shown: String(review?.shown ?? "–"),
        lobby: lobby ? names(lobby) : "–",
        quiet: quiet ? names(quiet) : "–",
        isShared: String(game.isShared(state)),
        watchers: String(seen.watchers),
        left: Object.entries(state.left).flat().join(" "),
    };
}"""
