"""
Stories of a page, without a server: what it's told, and what it shows and says then.

A story is a text, as ``red Ry; RY; 34; lost; red RY 345``. Who we are stands where a
connection tells us all; who is here, wherever it changes: ``R`` or ``Y`` if the player
is, ``r`` or ``y`` if the seat is free, ``-`` if it's neither; digits are moves, and
``1:0`` the games that red and yellow have won before.

"""

import re
from urllib.parse import urlsplit

from events import DRAW, NOT_FOUND, TAKEN, asked, played, present, started, won
from helpers import DRAWN, HERE


def presence(here):
    players = [player for player in ("red", "yellow") if player[0].upper() in here]
    free = [player for player in ("red", "yellow") if player[0] in here]
    return present(*players, open=free, spectators=24)


# Steps of stories: events, states of the connection, and what we do.
STEPS = {
    "wins": won("red"),
    "draw": DRAW,
    "red asks": asked("red"),
    "yellow asks": asked("yellow"),
    "new game": started("yellow", red=1),
    "abc234 waits": {"type": "waiting", "code": "abc234"},
    "not found": NOT_FOUND,
    "taken": {**TAKEN, "watch": "w"},
    "refused": {"type": "error", "message": "It isn't your turn."},
    "open": {"connection": "open"},
    "lost": {"connection": "reconnecting"},
    "stopped": {"connection": "stopped"},
    "closed": {"connection": "closed"},
    "we move": {"column": 3},
    "we ask": {"isAsking": True},
    "we invite": {"isInviting": True},
    "we close": {"isInviting": False},
    "we type": {"typed": "k7qx2m"},
    "it's ours": {"isOurs": True},
    "hint": {"hint": "Column 2 is full."},
}

# A player or spectator of a match, which has no code if a client of the base protocol
# has started it.
WHO = re.compile(
    r"(red|yellow|spectator|base|onlooker) ([Rr-][Yy-])"
    r"(?: (\d+):(\d+))?(?: (\d+))?( wins| draw)?"
)


def parse(story):
    """Return the steps of a story."""
    columns, first = "", "red"
    for part in story.split("; ") if story else []:
        if match := WHO.fullmatch(part):
            name, here, red, yellow, columns, end = match.groups(default="")
            player = {"red": "red", "yellow": "yellow", "base": "yellow"}.get(name)
            keys = {"rejoin": player and "key", "watch": "w", "code": "k7qx2m"}
            if name in ("base", "onlooker"):
                keys["code"] = None
            yield STEPS["open"]
            yield {"type": "init", "player": player, **keys, "host": "192.168.1.5"}
            yield started(red=int(red or 0), yellow=int(yellow or 0))
            yield from played(*map(int, columns))
            if end:
                yield STEPS[end.strip()]
            yield presence(here)
            first = "red"
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


def continue_story(story, steps):
    """Return the steps with which a story goes on."""
    return [*parse(f"{story}; {steps}")][len([*parse(story)]) :]


# Red wins with the last move, by the line from (1, 0) to (4, 3).
WON = "12233434404"

# The states of a page that look different, and a story of each.
STATES = {
    "connecting": "",
    "unreachable": "lost",
    "waiting": "red Ry",
    "somebody waits": "red Ry; abc234 waits",
    "your turn": "red RY 3342",
    "their turn": "red RY 334",
    "move is sent": "red RY 3342; we move",
    "invitation": "red RY 334; we invite",
    "other away": "red R- 3342",
    "seat free": "red Ry 3342",
    "watching": "spectator RY 3342",
    "watching free seat": "spectator Ry 3342",
    "reconnecting": "red RY 3342; lost",
    "server stopped": "red RY 3342; stopped",
    "won": f"red RY {WON[:-1]}; 4; wins",
    "lost": f"yellow RY {WON} wins",
    "draw": f"red RY {''.join(map(str, DRAWN))} draw",
    "seen to end": f"spectator RY {WON} wins",
    "looking back": f"spectator RY {WON} wins; at 3",
    "rematch asked": f"red RY {WON} wins; red asks",
    "rematch wanted": f"yellow RY {WON} wins; red asks",
    "seat taken": "open; taken; closed; it's ours; open; taken; closed",
    "seat of others": "open; taken; closed",
    "game gone": "red RY 3342; lost; open; not found; closed",
    "address unknown": "open; not found; closed",
    "code unknown": "we type; open; not found; closed",
}


async def open_stage(page):
    """Open the page that is told stories."""
    await page.route("**/*", serve_file)
    await page.goto("http://localhost:8000/")  # where nobody is
    await page.wait_for_function("() => window.tell !== undefined")


def serve_file(route):
    """Answer with a file of the page; in the place of main.js, with that of stories."""
    name = urlsplit(route.request.url).path[1:] or "index.html"
    path = HERE / ("tests/stories.js" if name == "main.js" else name)
    return route.fulfill(path=path) if path.is_file() else route.fulfill(status=404)


async def tell(page, story):
    """Tell a page a story from its beginning."""
    await page.evaluate("(steps) => tell(steps)", [*parse(story)])
