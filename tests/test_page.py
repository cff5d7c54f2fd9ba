"""People play: by mouse, keys, touch and ear, and see the end when it has come."""

import asyncio

from playwright.async_api import expect

from helpers import RED_WINS
from people import (
    LOST,
    PHONE,
    column,
    play,
    press,
    press_keys,
    see,
    start,
    start_two,
    take_turns,
)

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
    await take_turns(red, yellow, RED_WINS[:4])
    spectator = await open_page(join, script=LISTEN)
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
        *3 * moves,
        "You played column 1.",
        "You win: column 1, rows 1 to 4. You lead, one game to none.",
        "You want to play again.",
        "A new game begins. Yellow’s turn.",
        "Yellow played column 4. Your turn.",
    ]


async def test_who_cannot_play_is_told_why_and_a_double_click_is_one_move(match):
    await match.begin(*[3] * 6)
    red, yellow = await match.open("red"), await match.open("yellow")
    spectator = await match.open("spectator")
    await see(red, phase="turn", focus="3")
    for page, refusal in [
        (red, "Column 4 is full."),
        (yellow, "It isn’t your turn."),
        (spectator, "You are watching. Red’s turn."),
    ]:
        await column(page, 3).dispatch_event("click")
        await see(page, said=refusal)
        assert await column(page, 3).is_disabled()
    await play(red, 2)
    await see(yellow, said="Red played column 3. Your turn.", moves=[3] * 6 + [2])
    await column(yellow, 4).dblclick()
    await play(red, 5)
    await see(red, yellow, spectator, moves=[3] * 6 + [2, 4, 5])


async def test_code_that_one_types_when_somebody_comes_is_no_move(open_page):
    red, join, _ = await start(open_page)
    await red.get_by_label("Have a code?").press("k")
    await open_page(join)
    await see(red, phase="turn")
    await press_keys(red, "2", "Enter")
    await see(red, moves=[], ghosts=0, focus="")


async def test_focus_is_never_lost_when_what_had_it_disappears(open_page, site):
    red, join, _ = await start(open_page)
    await red.get_by_role("button", name="Copy").focus()
    yellow = await open_page(join)
    await see(red, phase="turn", focus="3")
    await red.locator(".invite:visible").focus()
    await press_keys(red, "Enter")
    await see(red, focus="copy", card="Invite a friend")
    await press_keys(red, "Escape")
    await see(red, focus="3")
    await column(red, 5).focus()
    await yellow.locator(".invite:visible").focus()
    await site.cut()
    await see(red, sentence=LOST, focus="5")
    await see(yellow, sentence=LOST)
    assert await yellow.evaluate("document.activeElement !== document.body")
    await site.start()
    await take_turns(red, yellow, RED_WINS)
    await see(red, phase="won")
    await red.locator(".act").focus()
    await press_keys(red, "Enter")
    await see(red, act="Waiting for yellow…", focus="act")
    # What somebody has chosen is left there.
    await yellow.get_by_role("button", name="Sound").focus()
    await yellow.locator(".act").dispatch_event("click")
    await see(red, phase="theirs", focus="0")
    await see(yellow, phase="turn", focus="sound")


async def test_thumb_plays_on_a_phone_which_neither_scrolls_nor_zooms(open_page):
    red, yellow, _ = await start_two(open_page, **PHONE)
    await column(red, 6).tap()
    await see(yellow, moves=[6])
    assert await red.evaluate("[scrollX, scrollY, visualViewport.scale]") == [0, 0, 1]


async def test_card_sinks_for_the_eye_alone_when_a_friend_comes(open_page):
    viewport = {"width": 844, "height": 390}
    options = {"reduced_motion": "no-preference", "viewport": viewport}
    page, join, _ = await start(open_page, **options)
    box = await page.locator(".invitation").bounding_box()
    sinking = asyncio.create_task(
        page.evaluate("""() => new Promise((resolve) => {
            new MutationObserver(([{ addedNodes: [card] }], observer) => {
                observer.disconnect();
                const { pointerEvents } = getComputedStyle(card);
                const { x, width } = card.firstChild.getBoundingClientRect();
                resolve([card.inert, card.ariaHidden, pointerEvents, x, width]);
            }).observe(document.documentElement, { childList: true });
        })""")
    )
    await open_page(join)
    assert await sinking == [True, "true", "none", box["x"], box["width"]]
    await expect(page.locator(".sinking")).to_have_count(0)
