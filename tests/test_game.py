"""What the page knows, shows and says after a story, without a server."""

import re

import pytest

from stories import parse

IMAGINE = """(steps) => {
    const state = imagine(steps);
    const { act, board, plates, lobby, review, quiet, ...seen } = describe(state);
    const names = (all) => Object.keys(all).filter((name) => all[name]).join(" ");
    const place = (cell) => cell && `${cell.column}${cell.row}`;
    const { sign } = board;
    const described = {
        ...seen,
        act: act && act.label + (act.look === "key" ? "" : ` (${act.look})`),
        moves: board.moves.length,
        line: board.line.map(place).join(" "),
        playable: board.playable.join(""),
        hand: board.hand,
        ghost: place(board.ghost),
        sign: sign && `${sign.text} ${sign.player}${board.celebrates ? "!" : ""}`,
        refusal: words.describeRefusal(state, 0),
        sent: state.sent && "sent",
        plates: Object.values(plates)
            .map(({ said, marks }) => `${said} (${names(marks)})`).join("; "),
        shown: review?.shown,
        lobby: lobby && names(lobby),
        quiet: quiet && names(quiet),
        isShared: game.isShared(state),
        left: Object.entries(state.left).flat().join(" "),
    };
    return Object.fromEntries(Object.entries(described)
        .map(([name, value]) => [name, String(value ?? "–")]));
}"""

# What is seen after stories. In what is said, {} is the sentence that one sees.
TABLES = {
    "page shows and says what is going on": """
        story | phase | sentence | said | act
        open; not found | connecting | Connecting… | {} | –
        open; not found; closed | gone | There is no such game. | {} | New game
        open; not found; closed; hint | gone | Column 2 is full. | {} | New game
        open; taken; closed; it's ours; open; taken
            | taken | You are playing this in another tab. When
                that is closed, it goes on here. | {} | –
        open; taken; closed; red RY | turn | Your turn | You are red. {}. | –
        red Ry; hint | waiting | Column 2 is full. | {} | –
        red Ry; abc234 waits | waiting | | You are red. Waiting for somebody to play
            with. Somebody else on this network is waiting, too. | –
        red Ry; abc234 waits; lost; red Ry
            | waiting | | Waiting for somebody to play with. | –
        red Ry; 3; RY | theirs | Yellow’s turn | Yellow has joined. {}. | –
        red Ry; RY; Ry | free | Yellow’s seat is free. | Your turn. {} | Invite
        red RY; 3; refused
            | theirs | It isn't your turn. | You played column 4. Yellow’s turn. {} | –
        red RY; 3; refused; 3 | turn | Your turn | Yellow played column 4. {}. | –
        yellow RY; -Y | away | Red is away. | {} | Let somebody play
        red RY; R-; RY | turn | Your turn | Yellow is back. {}. | –
        red RY; R-; Ry; RY | turn | Your turn | Yellow has joined. {}. | –
        red RY; 0101010 | theirs | | You played column 1. | –
        red RY; 0101010; wins | won | Four in a row!
            | You win: column 1, rows 1 to 4. You lead, one game to none. | Play again
        yellow RY 0101010 wins | lost | Four in a row!
            | You are yellow. Red wins! Red leads, one game to none. | Play again
        red RY 0101010 wins; R- | won | Yellow is away. | {} | Let somebody play
        yellow RY 0101010 wins; red asks
            | lost | Red wants to play again. | {} | Play again (red)
        yellow RY 0101010 wins; yellow asks | lost | Four in a row!
            | You want to play again. | Waiting for red… (pressed)
        yellow RY 0101010 wins; yellow asks; red asks; new game
            | turn | Your turn | A new game begins. {}. | –
        red RY; draw; we ask
            | drawn | The board is full. | A draw. | Waiting for yellow… (pressed)
        red RY draw; red asks; yellow asks; new game; draw
            | drawn | The board is full.
            | A draw. You lead, one game to none. | Play again
        red Ry; spectator ry
            | watching | Both seats are free. | You are watching. {} | Play (red)
        spectator RY; R- | watching | Red’s turn | {}. Yellow is away. | –
        spectator RY; -- | watching | Both players are away. | {} | Let somebody play
        spectator RY 0101010 wins; red asks
            | over | Four in a row! | Red wants to play again. | –
        spectator RY; 33; at 1
            | watching | Move 1 of 2 | Yellow played column 4. Red’s turn.
            | Back to the present
        onlooker R- | watching | Red’s turn
            | You are watching. {}. Yellow isn’t here yet. | –
        onlooker R- 01 | watching | Red’s turn
            | You are watching. {}. Yellow is away. | –
        base RY; -Y | away | Red has left. | {} | New game
        base RY 0101010 wins | lost | Four in a row!
            | You are yellow. Red wins! Red leads, one game to none. | New game
        red RY; 3; lost; red RY 34
            | turn | Your turn | Yellow played column 5. {}. | –
        red RY; 3; lost; red RY | turn | Your turn | A new game begins. {}. | –
        red RY; refused; 3; closed
            | gone | The server has ended the connection. | {} | New game
        spectator RY; refused; closed | gone | It isn't your turn. | {} | New game
    """,
    # Until the server has told who has won, there is none.
    "line is shown and said with the score when a game has ended": """
        story | line | said
        red RY; 0011223 | | You played column 4.
        yellow RY; 0011223; wins | 00 10 20 30
            | Red wins: columns 1 to 4, bottom row. Red leads, one game to none.
        yellow RY; 001133442; wins | 00 10 20 30 40
            | Red wins: columns 1 to 5, bottom row. Red leads, one game to none.
        yellow RY 0:1; 120310202101023233310616253; wins | 05 15 25 35
            | Red wins: columns 1 to 4, top row. One game each.
        yellow RY 0:3; 12233434404; wins | 10 21 32 43 | Red wins: from column 2, row 1,
            to column 5, row 4. You lead, three games to one.
        yellow RY 11:0; 415112206040043; wins | 30 40 50 60 03 12 21 30
            | Red wins: columns 4 to 7, bottom row; and from column 1, row 4, to column
            4, row 1. Red leads, 12 games to none.
        yellow RY 0:2 draw | | You are yellow. A draw. You lead, two games to none.
    """,
    "columns are open on our turn unless they are full": """
        story | playable | hand | refusal
        red RY | 0123456 | red |
        red Ry | 0123456 | – |
        spectator RY | | red |
        red RY; 000000 | 123456 | red | Column 1 is full.
        red RY; we move | | – |
        red RY; 0101010 | | – | It isn’t your turn.
        red RY; 0101010; wins | | – |
        red RY; lost | | – |
    """,
    "move that the server has not told is never lost": """
        story | sent | ghost | sentence
        red RY; we move | sent | 30 | Your turn
        red RY; we move; 3 | – | – | Yellow’s turn
        red RY; we move; lost; red RY | sent | 30 | Your turn
        red RY; we move; lost; red RY 3 | – | – | Yellow’s turn
        red RY; we move; lost; red RY 2 | – | – | Your move came too late.
        red RY; we move; lost; spectator RY | – | – | Your move came too late.
    """,
    # What happens now is shown to who isn't looking back, or sits down.
    "one looks back when the game is over or as a spectator": """
        story | shown | moves
        spectator RY; 33 | 2 | 2
        spectator RY; 33; at -1 | 0 | 0
        spectator RY; 33; at 1; 4 | 1 | 1
        spectator RY; 33; lost | – | 2
        spectator RY; 33; at 1; lost; spectator RY 4 | 1 | 1
        spectator Ry; 334; at 1; lost; yellow RY 334 | – | 3
        red RY 0101010 wins; at 5; lost; red RY 0101010 wins | 5 | 5
        red RY 0101010 wins; at 5; new game | – | 0
    """,
    "plates tell who is who and who is here": """
        story | plates
        red Ry | Red, you, 0 wins (you); Yellow, 0 wins, free seat (nobody)
        red RY | Red, you, 0 wins, to move (you turn); Yellow, 0 wins ()
        spectator R- 3 | Red, 0 wins (); Yellow, 0 wins, to move, away (away)
        yellow RY 0101010 wins | Red, 1 win, winner (winner); Yellow, you, 0 wins (you)
    """,
    # Only a winner who sees it happen celebrates (!).
    "sign and title tell the result and the title our turn": """
        story | sign | title | asked
        red RY; 0101010; wins | You win! red! | You win – Connect Four |
        red RY 0101010 wins | You win! red | You win – Connect Four |
        yellow RY; 0101010; wins | Red wins! red | Red wins – Connect Four |
        yellow RY 0101010 wins; red asks | Red wins! red | Red wins – Connect Four | red
        spectator RY; draw | A draw null | A draw – Connect Four |
        red RY 0101010 wins; at 3 | – | You win – Connect Four |
        red RY | – | Your turn – Connect Four |
        red Ry | – | Connect Four |
        spectator RY | – | Connect Four |
        red RY; lost | – | Connect Four |
    """,
    # An invitation that was opened for a free seat is closed when that is taken.
    "invitation lobby and ways out are where they are of use": """
        story | card | lobby | quiet
        red Ry | large | isWaiting | –
        red Ry; abc234 waits | large | partner isWaiting | –
        red Ry; stopped | none | – | –
        open; not found; closed | none | | –
        red RY | small | – | invite
        red RY; lost | small | – | isDisabled
        red RY 0101010 wins; R- | small | – | invite
        base RY 0101010 wins | none | – |
        red RY; we invite; R-; RY | open | – | invite
        red Ry; RY; Ry; we invite; RY | small | – | invite
        spectator ry; we invite; Ry; RY | small | – | invite
    """,
    # When somebody has left is only known to who looked.
    "page knows who has been here and who looks on": """
        story | isShared | watchers | left
        red Ry | false | 24 |
        red Ry; RY; Ry | true | 24 | yellow 1000
        spectator RY | false | 23 |
        red RY; lost | true | 0 |
        red RY; lost; red R- | true | 24 | yellow -Infinity
        red RY; R-; lost; red R- | true | 24 | yellow 1000
    """,
}


@pytest.mark.parametrize("table", TABLES.values(), ids=TABLES)
async def test_after_each_story(modules, table):
    rows = re.sub(r"\n {12,}", " ", table).strip().splitlines()
    (_, *names), *rows = [[cell.strip() for cell in row.split("|")] for row in rows]
    stories = [[*parse(story)] for story, *_ in rows]
    told = await modules.evaluate(f"(all) => all.map({IMAGINE})", stories)
    for (story, *cells), seen in zip(rows, told, strict=True):
        expected = [cell.replace("{}", seen["sentence"]) for cell in cells]
        assert [seen[name] for name in names] == expected, story
