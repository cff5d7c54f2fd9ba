"""Tests of the board in the page: what hands do with it, and what it tells."""

import pytest

from test_layout import open_stub  # noqa: F401

DROPS = """() => {
    window.drops = [];
    document.querySelector(".board").addEventListener("drop", ({ detail }) => {
        drops.push(detail.column);
    });
}"""


@pytest.fixture
async def open_board(open_stub):  # noqa: F811
    """Open a board on which it's my turn, and which remembers what was chosen."""

    async def open_board(state="turn", **options):
        page = await open_stub(**options)
        await page.evaluate("name => show(name)", state)
        await page.evaluate(DROPS)
        return page

    return open_board


def column(page, number):
    return page.locator(f".column[data-column='{number}']")


async def center(page, number):
    """Return the middle of a column, once one can touch it."""
    await column(page, number).hover()
    box = await column(page, number).bounding_box()
    return box["x"] + box["width"] / 2, box["y"] + box["height"] / 2


async def slide(page, *points, lift=True):
    """Slide a thumb over some points of the screen, and lift it there."""
    session = await page.context.new_cdp_session(page)
    for number, (x, y) in enumerate(points):
        event = "touchMove" if number else "touchStart"
        point = {"type": event, "touchPoints": [{"x": x, "y": y}]}
        await session.send("Input.dispatchTouchEvent", point)
    if lift:
        end = {"type": "touchEnd", "touchPoints": []}
        await session.send("Input.dispatchTouchEvent", end)


async def test_click_chooses_a_column(open_board):
    page = await open_board()
    await column(page, 5).click()
    await column(page, 2).dispatch_event("click")
    assert await page.evaluate("drops") == [5, 2]


async def test_hand_follows_the_pointer_and_shows_where_it_lands(open_board):
    page = await open_board()
    for number, row in [(3, 3), (6, 0)]:
        await column(page, number).hover()
        await page.wait_for_selector(f".column[data-column='{number}'] .landing")
        rows = await page.locator(".landing").evaluate_all(
            "cells => cells.map(cell => [...cell.parentNode.children].indexOf(cell))"
        )
        assert rows == [row]


async def test_hand_of_the_other_stays_in_the_middle(open_board):
    page = await open_board("theirs")
    await column(page, 6).hover()
    hand = page.locator(".hand")
    assert await hand.evaluate("hand => hand.style.getPropertyValue('--column')") == "3"
    assert await page.locator(".landing").count() == 0


async def test_thumb_chooses_where_it_is_lifted(open_board):
    page = await open_board(has_touch=True)
    points = [await center(page, number) for number in (1, 3, 5)]
    await slide(page, *points)
    assert await page.evaluate("drops") == [5]


async def test_tap_chooses_once(open_board):
    page = await open_board(has_touch=True)
    await column(page, 2).tap()
    await page.wait_for_function("drops.length > 0")
    await page.evaluate("new Promise((resolve) => setTimeout(resolve, 50))")
    assert await page.evaluate("drops") == [2]


async def test_thumb_that_is_lifted_outside_chooses_nothing(open_board):
    page = await open_board(has_touch=True)
    x, y = await center(page, 6)
    await slide(page, (x, y), (x + 60, y), (x + 160, y))
    assert await page.evaluate("drops") == []


async def test_keys_choose_within_the_board_only(open_board):
    page = await open_board()
    await page.keyboard.press("Digit4")
    await column(page, 3).focus()
    for key in ["Digit1", "Numpad7", "ArrowRight", "ArrowDown", "Enter", "Space"]:
        await page.keyboard.press(key)
    for key in ["Control+Digit2", "Digit8", "End", "Home", "ArrowLeft", "ArrowDown"]:
        await page.keyboard.press(key)
    assert await page.evaluate("drops") == [0, 6, 4, 4, 4, 6]


@pytest.mark.parametrize("key", ["Digit5", "ArrowDown", "Enter", "Space"])
async def test_key_that_is_held_down_chooses_once(open_board, key):
    page = await open_board()
    await column(page, 4).focus()
    for _ in range(4):
        await page.keyboard.down(key)
    await page.keyboard.up(key)
    assert await page.evaluate("drops") == [4]


async def test_columns_say_what_they_hold_and_where_one_lands(open_board):
    page = await open_board()
    name = "element => element.getAttribute('aria-label')"
    assert await column(page, 3).evaluate(name) == (
        "Column 4: red, yellow, yellow, 3 free, lands in row 4"
    )
    await page.evaluate("show('theirs')")
    assert await column(page, 6).evaluate(name) == "Column 7: 6 free"
    await page.evaluate("show('drawn')")
    assert await column(page, 0).evaluate(name) == (
        "Column 1: red, yellow, red, yellow, red, yellow, full"
    )


async def test_what_was_meant_for_the_card_is_no_move(open_board):
    page = await open_board("waiting", width=390, height=844)
    # Stop the time in which nothing can be chosen, which a busy machine may need.
    await page.evaluate(
        """() => {
            show("turn");
            window.arrivals = document.getAnimations()
                .filter(({ animationName }) => animationName === "arrive");
            window.arrivals.forEach((arrival) => arrival.pause());
        }"""
    )
    box = await page.locator(".board").bounding_box()
    await page.mouse.click(box["x"] + 200, box["y"] + 200)
    assert await page.evaluate("drops") == []
    await page.evaluate("window.arrivals.forEach((arrival) => arrival.finish())")
    await column(page, 3).click()
    assert await page.evaluate("drops") == [3]


async def test_ghost_is_no_checker_yet(open_board):
    page = await open_board()
    ghost = {"player": "red", "column": 6, "row": 0}
    await page.evaluate("ghost => show('theirs', { ghost })", ghost)
    cell = column(page, 6).locator(".cell").first
    assert await cell.get_attribute("class") == "cell empty ghost ghost-red"
    await page.evaluate("move => show('theirs', { moves: [move] })", ghost)
    assert await cell.get_attribute("class") == "cell red last"
    assert await page.locator(".ghost").count() == 0


async def test_end_waits_for_the_last_checker(open_board):
    page = await open_board(reduced_motion="no-preference")
    log = await page.evaluate("""async () => {
        const moves = STATES.won.moves;
        show("turn", { moves: moves.slice(0, -1) });
        await new Promise((resolve) => setTimeout(resolve));
        const log = [];
        const note = () => log.push([
            document.querySelectorAll(".line").length,
            !document.querySelector(".sign").hidden,
            isSettled(document.querySelector(".board")),
        ]);
        // The move and its result may come one after the other.
        show("won", { line: [], sign: null, celebrates: false });
        show("won");
        note();
        await new Promise((resolve) => document.querySelector(".board")
            .addEventListener("settle", resolve, { once: true }));
        note();
        return log;
    }""")
    assert log == [[0, False, False], [4, True, True]]


async def test_nothing_moves_where_motion_is_reduced(open_board):
    page = await open_board()
    seen = await page.evaluate("""async () => {
        const falls = [];
        document.querySelector(".board").addEventListener("fall", ({ detail }) => {
            falls.push(detail.delay);
        });
        const moves = STATES.won.moves;
        show("turn", { moves: moves.slice(0, -1) });
        show("won");
        return [falls, document.querySelectorAll(".line").length,
            isSettled(document.querySelector(".board"))];
    }""")
    assert seen == [[0], 4, True]


async def test_animation_that_is_cancelled_does_not_hold_up_the_end(open_board):
    page = await open_board(reduced_motion="no-preference")
    await page.evaluate("""async () => {
        const moves = STATES.won.moves;
        show("turn", { moves: moves.slice(0, -1) });
        await new Promise((resolve) => setTimeout(resolve));
        show("won");
        document.getAnimations().forEach((animation) => animation.cancel());
    }""")
    await page.wait_for_function("isSettled(document.querySelector('.board'))")
    assert await page.locator(".line").count() == 4


async def test_checker_that_does_not_belong_there_is_refused(open_board):
    page = await open_board()
    message = await page.evaluate("""async () => {
        const { playMove } = await import("./connect4.js");
        const board = document.querySelector(".board");
        const tries = [["blue", 0, 0], ["red", 7, 0], ["red", 0, 6], ["red", 3, 0]];
        return tries.map((move) => {
            try {
                playMove(board, ...move);
            } catch ({ message }) {
                return message;
            }
        });
    }""")
    assert message == [
        "The player is red or yellow, not blue.",
        "There is no column 7 with a row 0.",
        "There is no column 0 with a row 6.",
        "Row 0 of column 3 isn't empty.",
    ]
