"""The board by itself: what hands do with it, what it tells, and what moves when."""

import pytest
from playwright.async_api import Error

from people import column, press_keys
from stories import WON, parse, presence, tell

TURN = "red RY 3342"
BEGUN = f"red RY {WON[:-1]}"

# Note what somebody chooses, and what the board tells of itself.
LISTEN = """() => {
    Object.assign(window, { drops: [], log: [] });
    board.addEventListener("drop", ({ detail }) => drops.push(detail.column));
    for (const type of ["fall", "light", "settle"]) {
        board.addEventListener(type, ({ detail }) => log.push([type, detail]));
    }
    board.addEventListener("light", () => { window.rain = count(".rain .checker"); });
    const count = (selector) => board.querySelectorAll(selector).length;
    window.look = () => ({
        line: count(".line"),
        sign: board.querySelector(".sign").checkVisibility(),
        leaving: count(".leaving .checker"),
        slides: board.querySelector(".hand").getAnimations().length,
        isEnded: document.body.dataset.phase === "won",
        isSettled: isSettled(board),
    });
}"""

# What is to be seen of the end of a game, and of what moves.
BOARD = {"line": 0, "sign": False, "leaving": 0, "slides": 0, "isSettled": False}
NOTHING = {**BOARD, "isEnded": False}
ALL = {**BOARD, "line": 4, "sign": True, "isSettled": True, "isEnded": True}

MOTION = {"reduced_motion": "no-preference"}


async def open_board(stage, story=TURN, **options):
    """Open a board in a story, which remembers what was chosen."""
    page = await stage(**options)
    await page.evaluate(LISTEN)
    await tell(page, story)
    await page.wait_for_function("isSettled(board)")
    return page


async def go_on(page, story, steps):
    """Go on with a story; return what is to be seen of the end at once."""
    steps = [*parse(f"{story}; {steps}")][len([*parse(story)]) :]
    return await page.evaluate("(steps) => { go(steps); return look(); }", steps)


async def slide(page, *points, fingers=1):
    """Slide a thumb over some points of the screen, and lift it there."""
    session = await page.context.new_cdp_session(page)
    for number, (x, y) in enumerate([*points, (0, 0)]):
        kind = "touchMove" if number else "touchStart"
        touches = [{"x": x + 20 * i, "y": y, "id": i} for i in range(fingers)]
        if number == len(points):
            kind, touches = "touchEnd", []
        event = {"type": kind, "touchPoints": touches}
        await session.send("Input.dispatchTouchEvent", event)


async def expect_drops(page, *columns):
    """Check what was chosen, once all that has happened was dealt with."""
    await page.evaluate("new Promise((resolve) => setTimeout(resolve, 50))")
    assert await page.evaluate("drops.splice(0)") == list(columns)


async def test_click_chooses_a_column_and_the_hand_shows_where_one_lands(stage):
    page = await open_board(stage)
    landing = (
        "(number) => document.querySelectorAll('.cell')[number].matches('.landing')"
    )
    for number, row in [(5, 0), (3, 2), (6, 0)]:
        await column(page, number).hover()
        assert await page.evaluate(landing, 6 * number + row)
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
    points = [(box["x"] + box["width"] / 2, box["y"] + 99) for box in boxes]
    await column(page, 2).tap()
    await slide(page, points[1], points[3], points[5])
    await expect_drops(page, 2, 5)
    # Lifted outside of the board, or with another finger, it chooses nothing.
    x, y = points[6]
    await slide(page, (x, y), (x + 60, y), (x + 160, y))
    await slide(page, points[3], fingers=2)
    await expect_drops(page)


async def test_keys_choose_within_the_board_only_and_once(stage):
    page = await open_board(stage)
    await page.get_by_role("button", name="Sound").focus()
    await press_keys(page, "Digit4")
    await column(page, 3).focus()
    await press_keys(page, "Digit1", "Numpad7", "ArrowRight", "ArrowDown", "Enter")
    await press_keys(page, "Space", "Control+Digit2", "Alt+Digit2", "Digit8", "Digit0")
    await press_keys(page, "End", "Home", "ArrowLeft", "ArrowDown", "ArrowRight")
    await press_keys(page, "Enter")
    await expect_drops(page, 0, 6, 4, 4, 4, 6, 0)
    stops = "columns => columns.map(column => column.tabIndex)"
    assert await page.locator(".column").evaluate_all(stops) == [0, *[-1] * 6]
    for key in ["Digit5", "ArrowDown", "Enter", "Space"]:
        for _ in range(3):
            await page.keyboard.down(key)
        await page.keyboard.up(key)
    await expect_drops(page, 4, 0, 0, 0)
    # A French keyboard has an apostrophe where the 4 is, which opens Firefox' search.
    await page.evaluate("addEventListener('keydown', (key) => { window.last = key })")
    session = await page.context.new_cdp_session(page)
    key = {"code": "Digit4", "key": "'", "text": "'", "windowsVirtualKeyCode": 52}
    await session.send("Input.dispatchKeyEvent", {"type": "keyDown", **key})
    await expect_drops(page, 3)
    assert await page.evaluate("last.defaultPrevented")


async def test_what_was_meant_for_the_card_is_no_move(stage):
    page = await open_board(stage, "red Ry", width=390, height=844)
    # Stop the time in which nothing can be chosen, which a busy machine may need.
    await page.evaluate(
        """(steps) => {
            go(steps);
            window.arrivals = document.getAnimations()
                .filter(({ animationName }) => animationName === "arrive");
            arrivals.forEach((arrival) => arrival.pause());
        }""",
        [presence("RY")],
    )
    await column(page, 3).click(force=True)
    await expect_drops(page)
    await page.evaluate("arrivals.forEach((arrival) => arrival.finish())")
    await column(page, 3).click()
    await expect_drops(page, 3)


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


async def test_ghost_is_no_checker_yet(modules):
    cell = column(modules, 3).locator(".cell").first
    for story, look in [
        ("red RY; we move", "cell empty ghost ghost-red"),
        ("red RY; 3", "cell red last"),
    ]:
        await tell(modules, story)
        assert await cell.get_attribute("class") == look
        assert await modules.locator(".landing").count() == 0


async def test_checker_lands_before_the_end_is_shown(stage):
    page = await open_board(stage, BEGUN, **MOTION)
    await page.evaluate("log.splice(0)")
    assert await go_on(page, BEGUN, "4; wins") == NOTHING
    # The title is for who looks elsewhere.
    assert await page.title() == "You win – Connect Four"
    await page.wait_for_function("isSettled(board)")
    assert await page.evaluate("[look(), rain]") == [ALL, 26]
    (_, fall), (_, light), _ = await page.evaluate("log.splice(0)")
    assert 0.2 < fall.pop("delay") < 0.4
    assert fall == {"player": "red", "column": 4, "row": 3}
    assert light["delays"] == pytest.approx([0, 0.14, 0.28, 0.42])
    # When the board is emptied, all fall out of the bottom.
    emptied = await go_on(page, f"{BEGUN}; 4; wins", "new game")
    assert emptied == {**NOTHING, "leaving": 11}
    await page.wait_for_function("isSettled(board)")
    assert await page.evaluate("look()") == {**NOTHING, "isSettled": True}
    assert await page.evaluate("log") == [["settle", None]]


async def test_past_stands_there_and_does_not_fall_or_light_up(stage):
    page = await open_board(stage, "red RY 0101010 wins", **MOTION)
    assert await page.evaluate("log") == [["settle", None]]


async def test_hand_of_the_other_does_not_slide_from_where_mine_was(stage):
    page = await open_board(stage, **MOTION)
    await column(page, 6).hover()
    await page.wait_for_function("look().slides === 0")
    assert await go_on(page, TURN, "6") == NOTHING


HIDE = "Object.defineProperty(document, 'hidden', { value: true })"


@pytest.mark.parametrize(("options", "act"), [({}, "0"), (MOTION, HIDE)])
async def test_nothing_moves_where_one_does_not_want_or_see_it(stage, options, act):
    page = await open_board(stage, BEGUN, **options)
    await page.evaluate(act)
    slides = "getComputedStyle(document.querySelector('.hand')).transitionProperty"
    assert await page.evaluate(slides) == ("transform" if options else "all")
    assert await go_on(page, BEGUN, "4; wins") == ALL
    falls = "log.filter(([type]) => type === 'fall').map(([, { delay }]) => delay)"
    assert await page.evaluate(falls) == [0]


async def test_animation_that_is_cancelled_does_not_hold_up_the_end(stage):
    page = await open_board(stage, BEGUN, **MOTION)
    assert await go_on(page, BEGUN, "4; wins") == NOTHING
    await page.evaluate("document.getAnimations().forEach((each) => each.cancel())")
    await page.wait_for_function("isSettled(board)")
    assert await page.evaluate("look()") == ALL


async def test_checker_that_does_not_belong_there_is_refused(stage):
    page = await open_board(stage)
    load = "async () => { window.playMove = (await import('./connect4.js')).playMove; }"
    await page.evaluate(load)
    for move, message in [
        (["blue", 0, 0], "The player is red or yellow, not blue."),
        (["red", 7, 0], "There is no column 7 with a row 0."),
        (["red", 0, 6], "There is no column 0 with a row 6."),
        (["red", 3, 0], "Row 0 of column 3 isn't empty."),
    ]:
        with pytest.raises(Error, match=message):
            await page.evaluate("(move) => playMove(board, ...move)", move)
