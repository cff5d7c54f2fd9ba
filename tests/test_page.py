"""People play: they see the end when it has come, hear a report, and lose no focus."""

from helpers import RED_WINS
from people import column, play, press, see, start_two, take_turns
from stories import continue_story, tell

# Note what a screen reader says. What is set again is said again.
LISTEN = """
    window.said = [];
    new MutationObserver((records) => {
        const status = document.querySelector("[role=status]");
        if (status !== null && records.some(({ target }) => status.contains(target))) {
            window.said.push(status.textContent);
        }
    }).observe(document, { childList: true, characterData: true, subtree: true });
"""


async def test_two_play_and_a_third_watches_and_it_is_told_like_a_report(open_page):
    red, yellow, join = await start_two(open_page, script=LISTEN)
    await take_turns(red, yellow, RED_WINS[:3])
    await see(red, yellow, moves=RED_WINS[:3])
    await column(red, 3).dispatch_event("click")
    await see(red, said="It isn’t your turn.")
    await column(yellow, 1).dblclick()
    spectator = await open_page(join)
    await see(spectator, said="You are watching.", moves=RED_WINS[:4])
    await see(red, yellow, watchers="1 person is watching.")
    await take_turns(red, yellow, RED_WINS[4:])
    end = {"sentence": "Four in a row!", "line": 4, "scores": "1 0", "moves": RED_WINS}
    await see(red, phase="won", sign="You win!", act="Play again", **end)
    await see(yellow, phase="lost", sign="Red wins!", act="Play again", **end)
    await see(spectator, phase="over", sign="Red wins!", act="", **end)
    await press(red, "Play again")
    await see(yellow, sentence="Red wants to play again.")
    await press(yellow, "Play again")
    await play(yellow, 3)
    await see(red, yellow, spectator, moves=[3], first="yellow")
    moves = "You played column 1. Yellow’s turn.", "Yellow played column 2. Your turn."
    assert await red.evaluate("said.filter(Boolean)") == [
        "Connecting…",
        "You are red. Waiting for somebody to play with.",
        "Yellow has joined. Your turn.",
        *moves,
        "You played column 1. Yellow’s turn.",
        "It isn’t your turn.",
        "Yellow played column 2. Your turn.",
        *moves,
        "You played column 1.",
        "You win: column 1, rows 1 to 4. You lead, one game to none.",
        "You want to play again.",
        "A new game begins. Yellow’s turn.",
        "Yellow played column 4. Your turn.",
    ]


async def test_focus_is_never_lost_when_what_had_it_disappears(stage):
    page = await stage(390, 844)
    for story, focused, steps, focus in [
        ("red Ry", "body", "RY", "3"),
        ("red Ry", ".invitation .copy", "RY", "3"),
        # What somebody has chosen is left there, and a code that one types is no move.
        ("red Ry", ".sound", "RY", "sound"),
        ("red Ry", ".typed input", "RY", ""),
        ("red RY", ".quiet .invite", "we invite", "copy"),
        ("red RY; we invite", ".close", "we close", "3"),
        ("red RY", ".quiet .invite", "lost", "3"),
        ("red RY 0101010 wins", ".act", "we ask", "act"),
        ("red RY 0101010 wins; red asks; yellow asks", ".act", "new game", "3"),
        ("spectator RY 33; at 1", ".act", "at 2", "move"),
    ]:
        await page.evaluate("document.activeElement.blur()")
        await tell(page, story)
        await page.locator(focused).focus()
        await page.evaluate("(steps) => go(steps)", continue_story(story, steps))
        await see(page, focus=focus)


async def test_card_sinks_for_the_eye_alone_when_a_friend_comes(stage):
    page = await stage(844, 390, reduced_motion="no-preference")
    await tell(page, "red Ry")
    card = await page.locator(".invitation").bounding_box()
    come = """(steps) => {
        go(steps);
        const picture = document.querySelector(".sinking[inert][aria-hidden=true] > *");
        const { x, width } = picture.getBoundingClientRect();
        return [x, width];
    }"""
    sinking = await page.evaluate(come, continue_story("red Ry", "RY"))
    assert sinking == [card["x"], card["width"]]
    await page.wait_for_function("document.querySelector('.sinking') === null")
