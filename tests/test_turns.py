"""Tests of taking turns: players make room, and spectators sit down."""

from playwright.async_api import expect

from helpers import RED_WINS
from states import (
    act,
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


async def make_room(page):
    await page.get_by_role("button", name="Let somebody play").click()


async def test_loser_makes_room_and_a_spectator_plays_the_winner(open_page):
    red, yellow, join = await start_two(open_page)
    spectator, other = await open_page(join), await open_page(join)
    await play_all(red, yellow, RED_WINS)
    await expect_phase(yellow, "lost")
    await make_room(yellow)
    await expect_status(yellow, "You are watching.")
    await expect_sentence(other, "Yellow’s seat is free.")
    await press(spectator, "Play")
    await expect_status(spectator, "You are yellow.")
    await play_all(spectator, red, [3, 3])
    for page in (red, yellow, spectator, other):
        await expect_board(page, [3, 3], first="yellow")
        await expect(page.locator(".plate.red .score")).to_have_text("1")
        await expect(page.locator(".plate.yellow .score")).to_have_text("0")


async def test_who_made_room_is_a_spectator_after_a_reload_too(open_page):
    red, yellow, join = await start_two(open_page)
    await play_all(red, yellow, RED_WINS)
    await expect_phase(yellow, "lost")
    await make_room(yellow)
    await expect_status(yellow, "You are watching.")
    await yellow.reload()
    await expect_status(yellow, "You are watching.")
    await expect(act(yellow)).to_have_text("Play")
    # The same link is a link for anybody, now.
    tab = await yellow.context.new_page()
    await tab.goto(join)
    await expect_status(tab, "You are yellow.")


async def test_teacher_watches_two_pupils_who_open_the_link(open_page):
    teacher, join, _ = await start(open_page)
    await teacher.get_by_role("button", name="Just watch").click()
    await expect_status(teacher, "You are watching.")
    assert await link(teacher) == join
    first = await open_page(join)
    await expect_status(first, "You are red.")
    second = await open_page(join)
    await expect_status(second, "You are yellow.")
    await play_all(first, second, [3, 3])
    await expect_board(teacher, [3, 3])


async def test_seat_of_who_is_away_is_given_to_somebody_else(open_page):
    red, yellow, join = await start_two(open_page)
    await play_all(red, yellow, [3, 3])
    await yellow.close()
    await press(red, "Let somebody play")
    dialog = red.get_by_role("dialog")
    await expect(dialog).to_contain_text("Yellow left just now")
    await dialog.get_by_role("button", name="Wait").click()
    await expect_sentence(red, "Yellow is away.")
    await press(red, "Let somebody play")
    await dialog.get_by_role("button", name="Let somebody play").click()
    await press(red, "Invite")
    assert await link(red) == join
    other = await open_page(join)
    await expect_status(other, "You are yellow.")
    await play_all(red, other, [4, 4])
    await expect_board(red, [3, 3, 4, 4])


async def test_nobody_is_asked_about_who_left_long_ago(open_page):
    red, yellow, _ = await start_two(open_page)
    await play_all(red, yellow, [3, 3])
    await red.close()
    await expect_sentence(yellow, "Red is away.")
    # Who comes now can't know when they left; so it's long ago.
    await yellow.reload()
    await press(yellow, "Let somebody play")
    await expect_sentence(yellow, "Red’s seat is free.")


async def test_spectator_takes_over_when_both_players_are_away(open_page):
    red, yellow, join = await start_two(open_page)
    await play_all(red, yellow, [3, 3])
    spectator = await open_page(join)
    await expect_status(spectator, "You are watching.")
    await red.close()
    await yellow.close()
    await expect_sentence(spectator, "Both players are away.")
    await press(spectator, "Let somebody play")
    await spectator.get_by_role("dialog").get_by_role("button", name="Let").click()
    await press(spectator, "Play")
    await expect_status(spectator, "You are red.")
    await play(spectator, 4)
    await expect_board(spectator, [3, 3, 4])


async def test_both_want_to_play_again_and_yellow_moves_first(open_page):
    red, yellow, join = await start_two(open_page)
    spectator = await open_page(join)
    await play_all(red, yellow, RED_WINS)
    await press(red, "Play again")
    await expect(red.locator(".act")).to_have_text("Waiting for yellow…")
    await expect(red.locator(".act")).to_be_disabled()
    await expect_sentence(yellow, "Red wants to play again.")
    for page in (red, yellow):
        await page.reload()
    await expect(red.locator(".act")).to_have_text("Waiting for yellow…")
    await press(yellow, "Play again")
    await play_all(yellow, red, [3, 3])
    for page in (red, yellow, spectator):
        await expect_board(page, [3, 3], first="yellow")


async def test_who_comes_back_to_a_seat_given_away_is_led_to_the_match(open_page, site):
    red, yellow, _ = await start_two(open_page)
    await play_all(red, yellow, [3, 3])
    tab = await yellow.context.new_page()
    await yellow.close()
    await press(red, "Let somebody play")
    dialog = red.get_by_role("dialog")
    await dialog.get_by_role("button", name="Let somebody play").click()
    await expect_sentence(red, "Yellow’s seat is free.")
    await tab.goto(site.url)
    await expect_status(tab, "You are yellow.")
    await expect_board(tab, [3, 3])


async def test_who_waits_in_a_match_that_has_begun_is_shown_who_else_does(open_page):
    other = await open_page()
    await expect_phase(other, "waiting")
    red, yellow, _ = await start_two(open_page)
    await play_all(red, yellow, RED_WINS)
    await expect_phase(yellow, "lost")
    await make_room(yellow)
    await yellow.close()
    await expect_sentence(red, f"Somebody else is waiting: {other.url[-6:]}.")
    await press(red, "Play")
    await expect_status(red, "You are yellow.")
    await expect_status(other, "Yellow has joined.")
