"""The board by itself: what hands do with it, what it tells, and what moves when."""

import pytest
from playwright.async_api import Error

from people import column, press_keys
from stories import WON, continue_story, presence, tell

TURN = "red RY 3342"
BEGUN = f"red RY {WON[:-1]}"

# Note what somebody chooses, and what the board tells of itself.
LISTEN = """() => {
    const count = (selector) => board.querySelectorAll(selector).length;
    Object.assign(window, { drops: [], log: [] });
    board.addEventListener("drop", ({ detail }) => drops.push(detail.column));
    for (const type of ["fall", "light", "settle"]) {
        board.addEventListener(type, ({ detail }) => log.push([type, detail]));
    }
    board.addEventListener("light", () => { window.rain = count(".rain .checker"); });
    window.look = () => [
        count(".line") && "line",
        board.querySelector(".sign").checkVisibility() && "sign",
        document.body.dataset.phase === "won" && "end",
        count(".leaving .checker") && "leaving",
        board.querySelector(".hand").getAnimations().length && "hand",
        isSettled(board) && "settled",
    ].filter(Boolean).join(" ");
}"""

MOTION = {"reduced_motion": "no-preference"}


async def open_board(stage, story=TURN, **options):
    """Open a board in a story, which remembers what was chosen."""
    page = await stage(**options)
    await page.evaluate(LISTEN)
    await tell(page, story)
    await page.wait_for_function("isSettled(board)")
    return page


async def go_on(page, story, steps):
    """Go on with a story; return at once what is to be seen of its end."""
    steps = continue_story(story, steps)
    return await page.evaluate("(steps) => { go(steps); return look(); }", steps)


async def touch(page, *points):
    """Slide a finger, or several, over some points of the screen, and lift it there."""
    session = await page.context.new_cdp_session(page)
    for number, fingers in enumerate([*points, []]):
        kind = "touchMove" if number else "touchStart"
        event = {"type": kind if fingers else "touchEnd", "touchPoints": fingers}
        await session.send("Input.dispatchTouchEvent", event)


async def expect_drops(page, *columns):
    """Check what was chosen, once all that has happened was dealt with."""
    await page.evaluate("new Promise((resolve) => setTimeout(resolve, 50))")
    assert await page.evaluate("drops.splice(0)") == list(columns)


async def test_click_chooses_a_column_and_the_hand_shows_where_one_lands(stage):
    page = await open_board(stage)
    for number, row in [(5, 0), (3, 2), (6, 0)]:
        await column(page, number).hover()
        await column(page, number).locator(f".landing:nth-child({row + 1})").wait_for()
        await column(page, number).click()
    await column(page, 2).dispatch_event("click")
    await expect_drops(page, 5, 3, 6, 2)
    hand = "document.querySelector('.hand').style.getPropertyValue('--column')"
    assert await page.evaluate(hand) == "2"
    # The hand of the other stays in the middle.
    await go_on(page, TURN, "6")
    await column(page, 6).hover()
    assert await page.evaluate(hand) == "3"
    assert await page.locator(".landing").count() == 0


async def test_thumb_chooses_once_where_it_is_lifted_on_the_board(stage):
    page = await open_board(stage, has_touch=True)
    boxes = [await column(page, number).bounding_box() for number in range(7)]
    at = [{"x": box["x"] + box["width"] / 2, "y": box["y"] + 99} for box in boxes]
    await column(page, 2).tap()
    await touch(page, [at[1]], [at[3]], [at[5]])
    await expect_drops(page, 2, 5)
    # Lifted outside of the board, or with another finger, it chooses nothing.
    await touch(page, [at[6]], [{**at[6], "x": at[6]["x"] + 160}])
    await touch(page, [{**at[3], "id": 0}, {**at[4], "id": 1}])
    await expect_drops(page)


async def test_keys_choose_within_the_board_only_and_once(stage):
    page = await open_board(stage)
    await page.get_by_role("button", name="Sound").focus()
    outline = "getComputedStyle(document.activeElement).outlineStyle"
    assert await page.evaluate(outline) == "solid"
    await press_keys(page, "Digit4")
    await column(page, 3).focus()
    await press_keys(page, "Digit1", "Numpad7", "ArrowRight", "ArrowDown", "Enter")
    await press_keys(page, "Space", "Control+Digit2", "Alt+Digit2", "Digit8", "Digit0")
    await press_keys(page, "End", "Enter", "Home", "ArrowLeft", "ArrowDown")
    await press_keys(page, "ArrowRight", "Enter")
    await expect_drops(page, 0, 6, 4, 4, 4, 6, 6, 0)
    stops = "columns => columns.map(column => column.tabIndex)"
    assert await page.locator(".column").evaluate_all(stops) == [0, *[-1] * 6]
    for key in ["Digit5", "ArrowDown", "Enter", "Space"]:
        for _ in range(3):
            await page.keyboard.down(key)
        await page.keyboard.up(key)
    await expect_drops(page, 4, 0, 0, 0)
    # A French keyboard has an apostrophe where the 4 is, which opens Firefox' search.
    key = {"code": "Digit4", "key": "'", "bubbles": True, "cancelable": True}
    press = "(column, key) => column.dispatchEvent(new KeyboardEvent('keydown', key))"
    assert not await column(page, 0).evaluate(press, key)
    await expect_drops(page, 3)


async def test_what_was_meant_for_the_card_is_no_move(stage):
    page = await open_board(stage, "red Ry", width=390, height=844)
    events = "getComputedStyle(board).pointerEvents"
    come = f"(steps) => {{ go(steps); return {events}; }}"
    assert await page.evaluate(come, [presence("RY")]) == "none"
    await page.wait_for_function(f"{events} !== 'none'")


async def test_columns_say_what_they_hold_and_where_one_lands(modules):
    for story, number, name in [
        (TURN, 3, "Column 4: red, yellow, 4 free, lands in row 3"),
        ("red RY 334", 6, "Column 7: 6 free"),
        ("red RY 000000", 0, "Column 1: red, yellow, red, yellow, red, yellow, full"),
    ]:
        await tell(modules, story)
        label = await column(modules, number).get_attribute("aria-label")
        assert label == name
    await modules.get_by_role("toolbar", name="Board", exact=True).wait_for()
    # A move that the server hasn't told is no checker.
    await tell(modules, "red RY; we move")
    ghost = modules.locator(".column > .cell.empty.ghost.ghost-red:nth-child(1)")
    assert await ghost.get_attribute("data-column") == "3"


async def test_checker_lands_before_the_end_is_shown(stage):
    page = await open_board(stage, BEGUN, **MOTION)
    await page.evaluate("log.splice(0)")
    assert await go_on(page, BEGUN, "4; wins") == ""
    # The title is for who looks elsewhere.
    assert await page.title() == "You win – Connect Four"
    await page.wait_for_function("isSettled(board)")
    assert await page.evaluate("[look(), rain]") == ["line sign end settled", 26]
    (_, fall), (_, light), _ = await page.evaluate("log.splice(0)")
    assert 0.2 < fall.pop("delay") < 0.4
    assert fall == {"player": "red", "column": 4, "row": 3}
    assert light["delays"] == pytest.approx([0, 0.14, 0.28, 0.42])
    # When the board is emptied, all fall out of the bottom.
    assert await go_on(page, f"{BEGUN}; 4; wins", "new game") == "leaving"
    await page.wait_for_function("isSettled(board)")
    assert await page.evaluate("[look(), log]") == ["settled", [["settle", None]]]
    # What is cancelled doesn't hold up the end.
    await tell(page, BEGUN)
    assert await go_on(page, BEGUN, "4; wins") == ""
    await page.evaluate("document.getAnimations().forEach((each) => each.cancel())")
    await page.wait_for_function("look() === 'line sign end settled'")


async def test_past_does_not_fall_and_the_hand_of_the_other_does_not_slide(stage):
    page = await open_board(stage, "red RY 0101010 wins", **MOTION)
    assert await page.evaluate("log") == [["settle", None]]
    # The hand of the other doesn't slide from where mine was.
    await tell(page, TURN)
    await column(page, 6).hover()
    await page.wait_for_function("look() === 'settled'")
    assert await go_on(page, TURN, "6") == ""


HIDE = "Object.defineProperty(document, 'hidden', { value: true })"


@pytest.mark.parametrize(("options", "act"), [({}, "0"), (MOTION, HIDE)])
async def test_nothing_moves_where_one_does_not_want_or_see_it(stage, options, act):
    page = await open_board(stage, BEGUN, **options)
    await page.evaluate(act)
    slides = "getComputedStyle(document.querySelector('.hand')).transitionProperty"
    assert await page.evaluate(slides) == ("transform" if options else "all")
    assert await go_on(page, BEGUN, "4; wins") == "line sign end settled"
    assert await page.evaluate("log.find(([type]) => type === 'fall')[1].delay") == 0


async def test_checker_that_does_not_belong_there_is_refused(modules):
    await tell(modules, TURN)
    play = "async (move) => (await import('./connect4.js')).playMove(board, ...move)"
    for move, message in [
        (["blue", 0, 0], "The player is red or yellow, not blue."),
        (["red", 7, 0], "There is no column 7 with a row 0."),
        (["red", 3, 0], "Row 0 of column 3 isn't empty."),
    ]:
        with pytest.raises(Error, match=message):
            await modules.evaluate(play, move)
