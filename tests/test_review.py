"""Tests of looking back: earlier moves are shown, by buttons, slider and arrows."""

import re

import pytest
from playwright.async_api import expect

from helpers import RED_WINS
from states import Match, expect_board, expect_status


@pytest.fixture
async def match(site, open_page):
    """A match on the wire, at which a test opens pages."""
    match = Match(site, open_page)
    yield match
    await match.end()


async def expect_shown(page, columns, total):
    """Wait until these moves are shown, of so many, and their number is told."""
    text = f"Move {len(columns)} of {total}"
    slider = page.get_by_role("slider", name="Move")
    await expect(slider).to_have_attribute("aria-valuetext", text)
    await expect(slider).to_have_value(str(len(columns)))
    await expect(page.get_by_text(text)).to_be_visible()
    await expect_board(page, columns)


@pytest.mark.parametrize("who", ["red", "yellow", "spectator"])
async def test_everybody_steps_through_a_game_that_is_over(match, who):
    await match.begin(*RED_WINS)
    page = await match.open(who)
    back = page.get_by_role("button", name="Previous move")
    forward = page.get_by_role("button", name="Next move")
    await expect_shown(page, RED_WINS, 7)
    await expect(page.locator(".line")).to_have_count(4)
    await forward.click()
    await expect_shown(page, RED_WINS, 7)
    await back.click()
    await expect_shown(page, RED_WINS[:6], 7)
    # The four light up at the end only, and the last checker is the one shown.
    await expect(page.locator(".line")).to_have_count(0)
    await expect(page.locator(".last")).to_have_class(re.compile("yellow"))
    await expect_status(page, "win")
    await page.get_by_role("slider", name="Move").fill("0")
    await expect_shown(page, [], 7)
    await back.click()
    await forward.click()
    await expect_shown(page, RED_WINS[:1], 7)
    await page.get_by_role("slider", name="Move").fill("7")
    await expect(page.locator(".line")).to_have_count(4)


async def test_arrows_step_where_they_have_no_other_meaning(match):
    await match.begin(*RED_WINS)
    page = await match.open("red")
    await expect_shown(page, RED_WINS, 7)
    await page.keyboard.press("ArrowLeft")
    await page.keyboard.press("ArrowLeft")
    await page.keyboard.press("ArrowRight")
    await page.keyboard.press("Alt+ArrowDown")
    await expect_shown(page, RED_WINS[:6], 7)
    await page.get_by_role("button", name="Rematch").focus()
    await page.keyboard.press("ArrowLeft")
    await expect_shown(page, RED_WINS[:5], 7)
    # On the slider they are the slider's, and on the board the board's.
    await page.get_by_role("slider", name="Move").focus()
    await page.keyboard.press("ArrowLeft")
    await expect_shown(page, RED_WINS[:4], 7)
    await page.locator(".column[data-column='3']").focus()
    await page.keyboard.press("ArrowLeft")
    await expect(page.locator(".column[data-column='2']")).to_be_focused()
    await expect_shown(page, RED_WINS[:4], 7)


async def test_rematch_ends_the_looking_back(match):
    await match.begin(*RED_WINS)
    page = await match.open("red")
    await page.get_by_role("button", name="Previous move").click()
    await page.get_by_role("button", name="Rematch").click()
    await expect_status(page, "You asked")
    await expect_shown(page, RED_WINS[:6], 7)
    await match.ask_rematch("yellow")
    await expect_board(page, [])
    await expect(page.get_by_role("slider")).to_be_hidden()


async def test_spectator_looks_back_during_the_game_and_returns(match):
    await match.begin(3, 3, 4)
    page, red = await match.open("spectator"), await match.open("red")
    await expect(red.get_by_role("slider")).to_be_hidden()
    await expect_shown(page, [3, 3, 4], 3)
    await page.get_by_role("button", name="Previous move").click()
    await expect_shown(page, [3, 3], 3)
    await match.play(2)
    await expect_shown(page, [3, 3], 4)
    await expect_status(page, "Red's turn.")
    await page.get_by_role("button", name="Back to the present").click()
    await expect_shown(page, [3, 3, 4, 2], 4)
