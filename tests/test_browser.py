"""Tests of the page in real browsers: red, yellow and a spectator play and watch."""

import pytest
from playwright.async_api import expect

from helpers import RED_WINS
from states import expect_board, expect_status, link, play, play_all, start


async def test_two_play_a_whole_game_and_a_third_watches(open_page):
    red, join, watch = await start(open_page)
    yellow = await open_page(join)
    spectator = await open_page(watch)
    await expect_status(yellow, "You are yellow.")
    await expect_status(spectator, "You are watching.")
    await play_all(red, yellow, RED_WINS)
    for page in (red, yellow, spectator):
        await expect_board(page, RED_WINS)
    await expect_status(red, "You win!")
    await expect_status(yellow, "Red wins!")
    await expect_status(spectator, "Red wins!")


async def test_late_spectator_sees_the_whole_game(open_page):
    red, join, watch = await start(open_page)
    yellow = await open_page(join)
    await play_all(red, yellow, [3, 3, 4])
    await expect_board(await open_page(watch), [3, 3, 4])


async def test_spectator_cannot_play(open_page):
    _, _, watch = await start(open_page)
    spectator = await open_page(watch)
    await expect_status(spectator, "You are watching.")
    column = spectator.locator(".column[data-column='3']")
    await expect(column).to_be_disabled()
    await column.dispatch_event("click")
    await expect_board(await open_page(watch), [])


async def test_nobody_can_play_out_of_turn(open_page):
    red, join, _ = await start(open_page)
    yellow = await open_page(join)
    await expect_status(yellow, "Red's turn.")
    column = yellow.locator(".column[data-column='3']")
    await expect(column).to_be_disabled()
    await column.dispatch_event("click")
    await play(red, 4)
    await expect_board(yellow, [4])


async def test_double_click_is_one_move(open_page):
    red, join, _ = await start(open_page)
    yellow = await open_page(join)
    await red.locator(".column[data-column='3']").dblclick()
    await expect_board(yellow, [3])
    await expect(red.locator(".note")).to_be_empty()


async def test_full_column_cannot_be_played(open_page):
    red, join, _ = await start(open_page)
    yellow = await open_page(join)
    await play_all(red, yellow, [3] * 6)
    await expect_status(red, "Your turn.")
    await expect(red.locator(".column[data-column='3']")).to_be_disabled()
    await expect(red.locator(".column[data-column='2']")).to_be_enabled()


async def test_new_starts_afresh_and_back_returns(open_page):
    red, join, _ = await start(open_page)
    await play(red, 3)
    await red.get_by_role("link", name="New").click()
    await expect_board(red, [])
    await expect_status(red, "You move first.")
    assert await link(red, "join") != join
    await red.reload()
    await expect_status(red, "You move first.")
    assert await link(red, "join") != join
    await red.go_back()
    await expect_board(red, [3])
    assert await link(red, "join") == join


@pytest.mark.parametrize("query", ["JOIN={}", "join={}.", "join= {}%20"])
async def test_address_may_be_typed_in_capitals_or_not_quite(open_page, site, query):
    red, join, _ = await start(open_page)
    code = join.partition("=")[2]
    yellow = await open_page(f"{site.url}?{query.format(code.upper())}")
    await expect_status(yellow, "You are yellow.")
    await play(red, 3)
    await expect_board(yellow, [3])


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
