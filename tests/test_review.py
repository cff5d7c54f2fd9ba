"""Earlier moves are looked back at: by buttons, by the slider, and by arrows."""

import re

from playwright.async_api import expect

from helpers import RED_WINS
from people import column, play, press, press_keys, see


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
    await see_move(page, RED_WINS, 7, line=4, sign="You win!")
    await back.click()
    # The end belongs to the last move, and the last checker is the one shown.
    await see_move(page, RED_WINS[:6], 7, line=0, sign="")
    await expect(page.locator(".last")).to_have_class(re.compile("yellow"))
    slider = page.get_by_role("slider", name="Move", exact=True)
    await slider.fill("0")
    await back.click()
    await forward.click()
    await see_move(page, RED_WINS[:1], 7)
    await slider.fill("7")
    await see_move(page, RED_WINS, 7, line=4, sentence="Four in a row!")


async def test_arrows_step_where_they_have_no_other_meaning(match):
    await match.begin(*RED_WINS)
    page = await match.open("spectator")
    await press_keys(page, "ArrowLeft", "ArrowLeft", "ArrowRight", "Alt+ArrowLeft")
    await see_move(page, RED_WINS[:6], 7)
    await page.get_by_role("slider").press("ArrowLeft")
    await see_move(page, RED_WINS[:5], 7)
    await column(page, 3).press("ArrowLeft")
    await see_move(page, RED_WINS[:5], 7, focus="2", act="Back to the present")
    await press(page, "Back to the present")
    await see_move(page, RED_WINS, 7, act="")


async def test_player_does_not_look_back_until_the_end_and_a_rematch_ends_it(match):
    await match.begin(*RED_WINS[:-1])
    red = await match.open("red")
    await red.locator(".sound").press("ArrowLeft")
    await see(red, phase="turn", shown="", moves=RED_WINS[:-1])
    await play(red, RED_WINS[-1])
    await red.get_by_role("button", name="Previous move").click()
    await see(red, act="Play again")
    await red.locator(".act").dblclick()
    # Whoever comes now would come after a complaint.
    yellow = match.seats["yellow"]
    await match.server.watch(yellow.init["watch"])
    await see_move(red, RED_WINS[:6], 7, watchers="1 person is watching.")
    await yellow.ask()
    await see(red, moves=[], shown="", phase="theirs")
