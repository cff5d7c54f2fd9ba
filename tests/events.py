"""The events of the wire contract, as tests expect them."""

DRAW = {"type": "draw"}
NOT_FOUND = {"type": "error", "message": "Game not found."}
TAKEN = {"type": "error", "message": "The game already has this player."}
PING, PONG = {"type": "ping"}, {"type": "pong"}


def played(*columns, first="red"):
    """Return the "play" events of moves in these columns by alternate players."""
    players = [first, other(first)]
    return [
        {
            "type": "play",
            "player": players[number % 2],
            "column": column,
            "row": columns[:number].count(column),
        }
        for number, column in enumerate(columns)
    ]


def started(player="red", red=0, yellow=0):
    wins = {"red": red, "yellow": yellow}
    return {"type": "start", "player": player, "wins": wins}


def won(player):
    return {"type": "win", "player": player}


def asked(player):
    return {"type": "rematch", "player": player}


def present(*players, spectators=0, open=()):
    return {
        "type": "presence",
        "players": list(players),
        "open": list(open),
        "spectators": spectators,
    }


def waiting(code=None):
    return {"type": "waiting", "code": code}


def other(player):
    return "yellow" if player == "red" else "red"


# What nobody may send, unless a client of the subprotocol sends its events.
NOT_EXPECTED = [
    *("", "hello", "3", '"play"', "null", "NaN", '{"type": "play", "column": 3'),
    *('[{"type": "play", "column": 3}]', '{"column": 3}', '{"type": null}'),
    *('{"type": {"type": "play"}}', '{"type": "resign"}', '{"type": "init"}'),
    *('{"type": "win", "player": "red"}', '{"type": "rematch"}', '{"type": "ping"}'),
    *(b'{"type": "play", "column": 3}', b"\x00\xff\xfe", '{"type": "\\ud800"}'),
    *("[" * 1024, '{"a":' * 200, "1" * 1024, '"' + "x" * 1022 + '"'),
]
