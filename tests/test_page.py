"""Tests of what one does with the page: by keys, by touch, by ear."""

import asyncio
import itertools

import pytest
from playwright.async_api import expect

from helpers import RED_WINS
from states import (
    DIAGONAL,
    LOST,
    PHONE,
    act,
    column,
    expect_arrived,
    expect_board,
    expect_phase,
    expect_sentence,
    expect_status,
    link,
    play,
    play_all,
    press,
    start,
    start_two,
)


async def type_keys(page, *keys):
    for key in keys:
        await page.keyboard.press(key)


async def focused(page):
    """Return the column that has the focus, or the first class of another element."""
    return await page.evaluate(
        """() => {
            const { dataset, classList } = document.activeElement;
            return dataset.column ? Number(dataset.column) : classList[0] ?? "";
        }"""
    )


# Keyboard


async def test_whole_game_by_keyboard_only(open_page):
    red, yellow, _ = await start_two(open_page)
    moves = [
        (["ArrowLeft", "ArrowLeft", "Enter"], 1),
        (["ArrowRight", "Space"], 2),
        (["ArrowRight", "ArrowDown"], 3),
        (["Digit4"], 3),
        (["End", "ArrowRight", "ArrowLeft", "ArrowLeft", "ArrowLeft", "Enter"], 4),
        (["Home", "Numpad5"], 0),
    ]
    assert await focused(red) == 3
    for number, (keys, expected) in enumerate(moves):
        await expect_phase(red, "turn")
        await type_keys(red, *keys)
        await expect_board(red, DIAGONAL[: 2 * number + 1])
        assert await focused(red) == expected
        if number < 5:
            await play(yellow, DIAGONAL[2 * number + 1])
    await expect_phase(red, "won")
    await type_keys(red, "Tab", "Enter")
    await expect_sentence(yellow, "Red wants to play again.")


async def test_digits_are_where_they_are_on_the_keyboard_and_in_the_board_only(match):
    await match.begin(3, 3)
    red = await match.open("red")
    await red.evaluate(
        """() => document.addEventListener("keydown", (event) => {
            (window.keys ??= []).push([event.code, event.defaultPrevented]);
        })"""
    )
    await type_keys(red, "Control+Digit5", "Alt+Digit5", "Digit8", "Digit0")
    await red.get_by_role("button", name="Sound").focus()
    await type_keys(red, "Digit5")
    await column(red, 0).focus()
    # A French keyboard has an apostrophe where the 4 is.
    cdp = await red.context.new_cdp_session(red)
    key = {"code": "Digit4", "key": "'", "text": "'", "windowsVirtualKeyCode": 52}
    await cdp.send("Input.dispatchKeyEvent", {"type": "keyDown", **key})
    await expect_board(red, [3, 3, 3])
    *others, last = [
        (code, prevented)
        for code, prevented in await red.evaluate("window.keys")
        if code.startswith("Digit")
    ]
    # Otherwise it would open the search of the page, in Firefox.
    assert last == ("Digit4", True)
    assert not any(prevented for _, prevented in others)


async def test_focus_that_somebody_has_is_left_there(open_page):
    red, yellow, _ = await start_two(open_page)
    await play_all(red, yellow, RED_WINS)
    await expect_phase(red, "won")
    await red.get_by_role("button", name="Sound").focus()
    await press(yellow, "Play again")
    await act(red).dispatch_event("click")
    await expect_phase(red, "theirs")
    assert await focused(red) == "sound"


@pytest.mark.parametrize("options", [{}, PHONE], ids=["laptop", "phone"])
async def test_focus_is_never_lost_when_what_had_it_disappears(open_page, options):
    red, join, _ = await start(open_page, **options)
    await red.get_by_role("button", name="Copy").focus()
    yellow = await open_page(join)
    await expect_phase(red, "turn")
    assert await focused(red) == 3
    await red.locator(".invite:visible").focus()
    await type_keys(red, "Enter")
    assert await focused(red) == "copy"
    await type_keys(red, "Escape")
    assert await focused(red) == 3
    await play_all(red, yellow, RED_WINS)
    await expect_phase(red, "won")
    await act(red).focus()
    await type_keys(red, "Enter")
    await expect_sentence(yellow, "Red wants to play again.")
    assert await focused(red) == "act"
    await press(yellow, "Play again")
    await expect_phase(red, "theirs")
    assert await focused(red) in range(7)


async def test_focus_is_not_lost_with_the_network(open_page, site):
    red, yellow, _ = await start_two(open_page)
    await play_all(red, yellow, [3, 3])
    await column(red, 5).focus()
    await yellow.get_by_role("button", name="Invite").first.focus()
    await site.cut()
    for page in (red, yellow):
        await expect_sentence(page, LOST)
    assert await focused(red) == 5
    assert await focused(yellow) != ""
    await site.start()
    await expect_phase(red, "turn")
    assert await focused(red) == 5


# Touch


async def slide(page, *points):
    """Slide a thumb over some points of the screen, and lift it there."""
    cdp = await page.context.new_cdp_session(page)
    for number, (x, y) in enumerate(points):
        kind = "touchMove" if number else "touchStart"
        point = {"type": kind, "touchPoints": [{"x": x, "y": y}]}
        await cdp.send("Input.dispatchTouchEvent", point)
    await cdp.send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})


async def test_slide_of_the_thumb_plays_where_it_is_lifted(open_page):
    red, join, _ = await start(open_page, **PHONE)
    yellow = await open_page(join)
    await expect_phase(red, "turn")
    await expect_arrived(red)
    box = await red.locator(".board").bounding_box()
    points = [(box["x"] + box["width"] * i / 14, box["y"] + 200) for i in range(1, 14)]
    # Lifted outside of the board, it plays nothing.
    await slide(red, points[0], points[10], (160, box["y"] + box["height"] + 60))
    await slide(red, points[0], points[6], points[4])
    await expect_board(yellow, [2])
    await play(yellow, 0)
    await expect_phase(red, "turn")
    await column(red, 6).tap()
    await expect_board(yellow, [2, 0, 6])
    assert await red.evaluate("[scrollX, scrollY, visualViewport.scale]") == [0, 0, 1]


# Screen readers

LISTEN = """
    window.said = [];
    new MutationObserver((records) => {
        const status = document.querySelector("[role=status]");
        if (status !== null && records.some(({ target }) => status.contains(target))) {
            window.said.push(status.textContent);
        }
    }).observe(document, { childList: true, characterData: true, subtree: true });
"""


async def hear(page):
    """Return what a screen reader has said since this was asked before."""
    said = await page.evaluate("window.said.splice(0)")
    # What is set again is said again.
    assert all(one != other for one, other in itertools.pairwise(said))
    return [text for text in said if text]


async def test_game_is_told_like_a_report(open_page, site):
    red = await open_page(script=LISTEN)
    await expect_status(red, "You are red.")
    yellow = await open_page(await link(red))
    await expect_status(yellow, "You are yellow.")
    spectator = await open_page(await link(red), script=LISTEN)
    await expect_status(spectator, "You are watching.")
    await play_all(red, yellow, RED_WINS)
    await press(red, "Play again")
    await expect_sentence(yellow, "Red wants to play again.")
    await press(yellow, "Play again")
    await play(yellow, 3)
    for page in (red, spectator):
        await expect_board(page, [3], first="yellow")
    assert await hear(red) == [
        "Connecting…",
        "You are red. Waiting for somebody to play with.",
        "Yellow has joined. Your turn.",
        *3
        * [
            "You played column 1. Yellow’s turn.",
            "Yellow played column 2. Your turn.",
        ],
        "You played column 1.",
        "You win: column 1, rows 1 to 4. You lead, one game to none.",
        "You want to play again.",
        "A new game begins. Yellow’s turn.",
        "Yellow played column 4. Your turn.",
    ]
    assert await hear(spectator) == [
        "Connecting…",
        "You are watching. Red’s turn.",
        *3
        * [
            "Red played column 1. Yellow’s turn.",
            "Yellow played column 2. Red’s turn.",
        ],
        "Red played column 1.",
        "Red wins: column 1, rows 1 to 4. Red leads, one game to none.",
        "Red wants to play again.",
        "A new game begins. Yellow’s turn.",
        "Yellow played column 4. Red’s turn.",
    ]


@pytest.mark.parametrize("who", ["red", "spectator"])
async def test_nothing_old_is_told_again(match, who):
    match.options = {"script": LISTEN}
    await match.begin(*DIAGONAL[:5])
    page = await match.open(who)
    await match.play(DIAGONAL[5])
    await expect_status(page, "Yellow played column 5.")
    await hear(page)
    await match.leave("yellow")
    await expect_status(page, "Yellow is away.")
    other = await match.open("spectator")
    await other.close()
    said = await hear(page)
    await page.reload()
    await expect_board(page, DIAGONAL[:6])
    match.cut()
    await expect_status(page, "lost")
    await expect_phase(page, "away" if who == "red" else "watching")
    said += await hear(page)
    assert said
    assert not [text for text in said if "played" in text]


# The end

LOG = """
    window.log = [];
    addEventListener("DOMContentLoaded", () => {
        for (const type of ["fall", "light", "settle"]) {
            document.querySelector(".board").addEventListener(type, () => {
                const act = document.querySelector(".act");
                const isShown = act.checkVisibility();
                log.push([type, document.title, document.body.dataset.phase, isShown]);
            });
        }
    });
"""


async def test_end_is_shown_when_the_winning_checker_has_landed(match):
    match.options = {"script": LOG, "reduced_motion": "no-preference"}
    await match.begin(*DIAGONAL[:-1])
    page = await match.open("yellow")
    await expect_phase(page, "theirs")
    await page.evaluate("log.splice(0)")
    await match.seats["red"].play(DIAGONAL[-1])
    await expect_phase(page, "lost")
    await expect_sentence(page, "Four in a row!")
    await expect(act(page)).to_have_text("Play again")
    # The title is for who looks elsewhere.
    assert await page.evaluate("log") == [
        ["fall", "Connect Four", "theirs", False],
        ["light", "Red wins – Connect Four", "theirs", False],
        ["settle", "Red wins – Connect Four", "theirs", False],
    ]


async def test_card_sinks_for_the_eye_alone_when_a_friend_comes(open_page):
    page, join, _ = await start(open_page, reduced_motion="no-preference")
    sinking = asyncio.create_task(
        page.evaluate("""() => new Promise((resolve) => {
            new MutationObserver(([{ addedNodes: [card] }], observer) => {
                observer.disconnect();
                const { pointerEvents } = getComputedStyle(card);
                resolve([card.inert, card.ariaHidden, pointerEvents]);
            }).observe(document.documentElement, { childList: true });
        })""")
    )
    await open_page(join)
    assert await sinking == [True, "true", "none"]
    await expect(page.locator(".sinking")).to_have_count(0)


async def test_nothing_moves_on_a_page_that_is_hidden(match):
    match.options = {"reduced_motion": "no-preference"}
    await match.begin(3, 3)
    page = await match.open("yellow")
    await page.evaluate(
        """() => {
            Object.defineProperty(document, "hidden", { value: true });
            document.querySelector(".board").addEventListener("fall", ({ detail }) => {
                window.delay = detail.delay;
            });
        }"""
    )
    await match.seats["red"].play(3)
    await expect(page).to_have_title("Your turn – Connect Four")
    assert await page.evaluate("delay") == 0
