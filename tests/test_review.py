"""Earlier moves are looked back at: by buttons, by the slider, and by arrows."""

import re

from playwright.async_api import expect

from helpers import RED_WINS
from people import LOST, column, play, press, press_keys, see


async def see_move(page, columns, total, **facts):
    """Wait until just these moves are shown, of so many, and their number is told."""
    text = f"Move {len(columns)} of {total}"
    if len(columns) < total:
        facts["sentence"] = text
    await see(page, shown=text, moves=columns, **facts)
    await expect(page.get_by_role("slider")).to_have_value(str(len(columns)))


async def test_one_steps_through_a_game_that_is_over(match):
    await match.begin(*RED_WINS)
    page = await match.open("red")
    back = page.get_by_role("button", name="Previous move")
    forward = page.get_by_role("button", name="Next move")
    await forward.click()
    await see_move(page, RED_WINS, 7, line=4, sign="You win!")
    await back.click()
    # The end belongs to the last move, and the last checker is the one shown.
    await see_move(page, RED_WINS[:6], 7, line=0, sign="")
    await expect(page.locator(".last")).to_have_class(re.compile("yellow"))
    slider = page.get_by_role("slider", name="Move", exact=True)
    await slider.fill("0")
    await see_move(page, [], 7)
    await back.click()
    await forward.click()
    await see_move(page, RED_WINS[:1], 7)
    await slider.fill("7")
    await see_move(page, RED_WINS, 7, line=4, sentence="Four in a row!")


async def test_arrows_step_where_they_have_no_other_meaning(match):
    await match.begin(*RED_WINS)
    page = await match.open("spectator")
    await press_keys(page, "ArrowLeft", "ArrowLeft", "ArrowRight", "Alt+ArrowDown")
    await see_move(page, RED_WINS[:6], 7)
    await page.get_by_role("slider").press("ArrowLeft")
    await see_move(page, RED_WINS[:5], 7)
    await column(page, 3).press("ArrowLeft")
    await see(page, focus="2")
    await see_move(page, RED_WINS[:5], 7)


async def test_spectator_looks_back_during_the_game_and_returns(match):
    await match.begin(3, 3, 4)
    page = await match.open("spectator")
    await see_move(page, [3, 3, 4], 3, act="")
    await page.get_by_role("button", name="Previous move").click()
    await match.play(2)
    await see_move(page, [3, 3], 4, act="Back to the present")
    await page.locator(".act").press("Enter")
    await see_move(page, [3, 3, 4, 2], 4, act="")
    # What has the focus now still looks back.
    await press_keys(page, "ArrowLeft")
    await see_move(page, [3, 3, 4], 4)


async def test_button_that_waits_for_the_end_when_the_connection_is_lost_asks_nothing(
    match,
):
    match.options = {"reduced_motion": "no-preference"}
    await match.begin(*RED_WINS)
    page = await match.open("red")
    await see(page, act="Play again")
    await page.get_by_role("button", name="Previous move").click()
    await page.get_by_role("button", name="Next move").click()
    await match.site.cut()
    # The title is the first to know.
    await see(page, title="Connect Four")
    await page.locator(".act").dispatch_event("click")
    await see(page, sentence=LOST)


async def test_player_does_not_look_back_until_the_end_and_a_rematch_ends_it(match):
    await match.begin(*RED_WINS[:-1])
    red = await match.open("red")
    await press_keys(red, "ArrowLeft")
    await see(red, phase="turn", shown="", moves=RED_WINS[:-1])
    await play(red, RED_WINS[-1])
    await red.get_by_role("button", name="Previous move").click()
    await press(red, "Play again")
    await see_move(red, RED_WINS[:6], 7)
    await match.seats["yellow"].ask()
    await see(red, moves=[], shown="", phase="theirs")
