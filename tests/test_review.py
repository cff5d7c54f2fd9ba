"""Tests of looking back: earlier moves are shown, by buttons, slider and arrows."""

import re

import pytest
from playwright.async_api import expect

from helpers import RED_WINS
from states import (
    act,
    column,
    expect_board,
    expect_phase,
    expect_sentence,
    play,
    play_all,
    press,
    start_two,
)


def slider(page):
    return page.get_by_role("slider", name="Move")


async def expect_shown(page, columns, total):
    """Wait until these moves are shown, of so many, and their number is told."""
    text = f"Move {len(columns)} of {total}"
    await expect(slider(page)).to_have_attribute("aria-valuetext", text)
    await expect(slider(page)).to_have_value(str(len(columns)))
    await expect_board(page, columns)
    if len(columns) < total:
        await expect_sentence(page, text)


@pytest.mark.parametrize("who", ["red", "spectator"])
async def test_everybody_steps_through_a_game_that_is_over(match, who):
    await match.begin(*RED_WINS)
    page = await match.open(who)
    back = page.get_by_role("button", name="Previous move")
    forward = page.get_by_role("button", name="Next move")
    await expect_shown(page, RED_WINS, 7)
    await forward.click()
    await expect_shown(page, RED_WINS, 7)
    await expect(page.locator(".line")).to_have_count(4)
    await back.click()
    await expect_shown(page, RED_WINS[:6], 7)
    # The end belongs to the last move, and the last checker is the one shown.
    await expect(page.locator(".line")).to_have_count(0)
    await expect(page.locator(".sign")).to_be_hidden()
    await expect(page.locator(".last")).to_have_class(re.compile("yellow"))
    await slider(page).fill("0")
    await expect_shown(page, [], 7)
    await back.click()
    await forward.click()
    await expect_shown(page, RED_WINS[:1], 7)
    await slider(page).fill("7")
    await expect(page.locator(".line")).to_have_count(4)
    await expect_sentence(page, re.compile("Four in a row!|away"))


async def test_arrows_step_where_they_have_no_other_meaning(match):
    await match.begin(*RED_WINS)
    page = await match.open("spectator")
    await expect_shown(page, RED_WINS, 7)
    for key in ("ArrowLeft", "ArrowLeft", "ArrowRight", "Alt+ArrowDown"):
        await page.keyboard.press(key)
    await expect_shown(page, RED_WINS[:6], 7)
    await slider(page).focus()
    await page.keyboard.press("ArrowLeft")
    await expect_shown(page, RED_WINS[:5], 7)
    await column(page, 3).focus()
    await page.keyboard.press("ArrowLeft")
    await expect(column(page, 2)).to_be_focused()
    await expect_shown(page, RED_WINS[:5], 7)


async def test_spectator_looks_back_during_the_game_and_returns(match):
    await match.begin(3, 3, 4)
    page = await match.open("spectator")
    await expect_shown(page, [3, 3, 4], 3)
    await expect(act(page)).to_have_count(0)
    await page.get_by_role("button", name="Previous move").click()
    await match.play(2)
    await expect_shown(page, [3, 3], 4)
    await act(page).focus()
    await page.keyboard.press("Enter")
    await expect_shown(page, [3, 3, 4, 2], 4)
    await expect(act(page)).to_have_count(0)
    # What has the focus now still looks back.
    await page.keyboard.press("ArrowLeft")
    await expect_shown(page, [3, 3, 4], 4)


async def test_player_does_not_look_back_until_the_end_and_a_rematch_ends_it(open_page):
    red, yellow, _ = await start_two(open_page)
    await play_all(red, yellow, RED_WINS[:-1])
    await expect_phase(red, "turn")
    await expect(slider(red)).to_be_hidden()
    await play(red, RED_WINS[-1])
    await red.get_by_role("button", name="Previous move").click()
    await expect_shown(red, RED_WINS[:6], 7)
    await press(red, "Play again")
    await expect_shown(red, RED_WINS[:6], 7)
    await press(yellow, "Play again")
    await expect_board(red, [])
    await expect(slider(red)).to_be_hidden()
    await expect(red.locator(".hand")).to_have_class(re.compile("yellow"))
