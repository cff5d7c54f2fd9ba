"""Tests of the page in real browsers: red, yellow and a spectator play and watch."""

from playwright.async_api import expect

from helpers import RED_WINS
from states import (
    act,
    column,
    expect_arrived,
    expect_board,
    expect_phase,
    expect_sentence,
    expect_status,
    play,
    play_all,
    press,
    start,
    start_two,
)


async def test_two_play_a_whole_game_and_a_third_watches(open_page):
    red, join, watch = await start(open_page)
    yellow = await open_page(join)
    spectator = await open_page(watch)
    await expect_status(yellow, "You are yellow.")
    await expect_status(spectator, "You are watching.")
    await play_all(red, yellow, RED_WINS)
    for page, phase, sign in [
        (red, "won", "You win!"),
        (yellow, "lost", "Red wins!"),
        (spectator, "over", "Red wins!"),
    ]:
        await expect_board(page, RED_WINS)
        await expect_phase(page, phase)
        await expect_sentence(page, "Four in a row!")
        await expect(page.locator(".sign")).to_have_text(sign)
        await expect(page.locator(".cell.line")).to_have_count(4)
        await expect(page.locator(".plate.red .score")).to_have_text("1")
    await expect(act(spectator)).to_have_count(0)
    await press(red, "Play again")
    await press(yellow, "Play again")
    await play_all(yellow, red, [3])
    for page in (red, yellow, spectator):
        await expect_board(page, [3], first="yellow")


async def test_late_spectator_sees_the_whole_game(open_page):
    red, yellow, join = await start_two(open_page)
    await play_all(red, yellow, [3, 3, 4])
    spectator = await open_page(join)
    await expect_board(spectator, [3, 3, 4])
    await expect_sentence(spectator, "Yellow’s turn")
    await play(yellow, 4)
    await expect_board(spectator, [3, 3, 4, 4])


async def test_spectator_cannot_play(open_page):
    red, yellow, join = await start_two(open_page)
    spectator = await open_page(join)
    await expect_status(spectator, "You are watching.")
    await expect_arrived(spectator)
    await expect(column(spectator, 3)).to_be_disabled()
    await column(spectator, 3).click(force=True)
    await play(red, 4)
    for page in (red, yellow, spectator):
        await expect_board(page, [4])


async def test_who_plays_out_of_turn_is_told_so(open_page):
    red, yellow, _ = await start_two(open_page)
    await expect_arrived(yellow)
    await expect(column(yellow, 3)).to_be_disabled()
    await column(yellow, 3).click(force=True)
    await expect_status(yellow, "It isn’t your turn.")
    await play(red, 4)
    await expect_board(yellow, [4])
    await expect(yellow.get_by_role("status")).not_to_contain_text("isn’t")


async def test_full_column_says_that_it_is_full(open_page):
    red, yellow, _ = await start_two(open_page)
    await play_all(red, yellow, [3] * 6)
    await expect_phase(red, "turn")
    await expect(column(red, 3)).to_be_disabled()
    await column(red, 3).click(force=True)
    await expect_status(red, "Column 4 is full.")
    await play(red, 2)
    await expect_board(yellow, [3] * 6 + [2])


async def test_double_click_is_one_move(open_page):
    red, yellow, _ = await start_two(open_page)
    await column(red, 3).dblclick()
    await play(yellow, 4)
    for page in (red, yellow):
        await expect_board(page, [3, 4])
    await expect_sentence(red, "Your turn")


async def test_page_may_load_nothing_from_elsewhere(open_page, site):
    red, _, _ = await start(open_page)
    blocked = await red.evaluate(
        """async (url) => {
            const violation = new Promise((resolve) =>
                document.addEventListener("securitypolicyviolation", resolve));
            document.body.append(Object.assign(new Image(), { src: url }));
            return (await violation).effectiveDirective;
        }""",
        f"http://127.0.0.1:{site.port + 2}/picture.png",
    )
    assert blocked == "img-src"
