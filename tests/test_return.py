"""Tests of opening the page: everybody ends up where they wanted to be."""

import asyncio

import pytest
from playwright.async_api import expect

from helpers import RED_WINS, forget_all
from states import (
    TAKEN,
    Match,
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

# How the link to a match is typed, or copied with what stands beside it.
TYPED = ["{upper}", "{code})%20", "?join%3D{code}", "#{code}"]


async def open_tab(page, url):
    """Open another tab in the same browser."""
    tab = await page.context.new_page()
    await tab.goto(url)
    return tab


@pytest.mark.parametrize("typed", TYPED)
async def test_code_leads_to_the_match_however_it_is_typed(open_page, site, typed):
    red, join, _ = await start(open_page)
    code = join[-6:]
    yellow = await open_page(site.url + typed.format(code=code, upper=code.upper()))
    await expect_status(yellow, "You are yellow.")
    assert yellow.url == red.url == site.url + code


@pytest.mark.parametrize("typed", ["?who=knows", "#nothing-here"])
async def test_address_that_means_nothing_starts_no_game(open_page, site, typed):
    _, join, _ = await start(open_page)
    page = await open_page(site.url + typed)
    await expect_sentence(page, "This address leads to no game.")
    await page.get_by_label("Have a code?").press_sequentially(join[-6:].upper())
    await expect_status(page, "You are yellow.")


async def test_wrong_code_stands_there_to_be_mended_and_ones_own_match_is_near(
    open_page, site
):
    page, join, _ = await start(open_page)
    await page.goto(f"{site.url}zzzzzz")
    await expect_sentence(page, "No game has the code zzzzzz.")
    await expect(page.get_by_label("Have a code?")).to_have_value("zzzzzz")
    await press(page, "Back to your game")
    await expect_status(page, "You are red.")
    assert page.url == join


async def test_code_is_typed_or_pasted_in_the_waiting_page(open_page):
    red, join, _ = await start(open_page)
    yellow, _, _ = await start(open_page)
    field = yellow.get_by_label("Have a code?")
    await field.fill("k7")
    await field.press("Enter")
    message = await field.evaluate("field => field.validationMessage")
    assert message == "A code has six letters and digits."
    await field.fill(f"{join}?utm_source=chat/")
    await expect_status(yellow, "You are yellow.")
    await play(red, 3)
    await expect_board(yellow, [3])


async def test_two_who_open_the_same_address_play_by_one_tap(open_page, site):
    red = await open_page()
    await expect_phase(red, "waiting")
    yellow = await open_page()
    await expect(yellow.locator(".somebody")).to_contain_text(red.url[-6:])
    await expect(red.locator(".somebody")).to_be_hidden()
    await yellow.get_by_role("link", name="Play", exact=True).click()
    await expect_status(yellow, "You are yellow.")
    await expect_status(red, "Yellow has joined.")
    await play_all(red, yellow, RED_WINS)
    await expect_status(yellow, "Red wins: column 1, rows 1 to 4.")


async def test_third_person_with_the_link_watches(open_page):
    red, yellow, join = await start_two(open_page)
    third = await open_page(join)
    await expect_status(third, "You are watching.")
    assert await link(third) == join
    await play_all(red, yellow, [3, 3])
    await expect_board(third, [3, 3])


async def test_link_to_watch_never_takes_a_seat(open_page):
    red, _, watch = await start(open_page)
    await red.locator(".invitation .turn").click()
    assert await link(red) == watch
    spectator = await open_page(watch)
    await expect_status(spectator, "You are watching.")
    assert spectator.url == watch
    await spectator.reload()
    await expect_status(spectator, "You are watching.")
    await expect_phase(red, "waiting")


@pytest.mark.parametrize("who", ["red", "yellow"])
async def test_player_comes_back_by_a_reload_the_link_or_the_plain_address(
    open_page, site, who
):
    red, yellow, join = await start_two(open_page)
    await play_all(red, yellow, [3, 3])
    page, other = (red, yellow) if who == "red" else (yellow, red)
    for come_back in (
        page.reload,
        lambda: page.goto(join),
        lambda: page.goto(site.url),
    ):
        await expect_board(page, [3, 3])
        await come_back()
        await expect_status(page, f"You are {who}.")
    tab = await page.context.new_page()
    await page.close()
    await expect_sentence(other, f"{who.capitalize()} is away.")
    await tab.goto(site.url)
    await expect_status(tab, f"You are {who}.")
    await expect_status(other, "is back")
    key = await tab.evaluate("history.state.key")
    assert key not in tab.url


async def test_spectator_comes_back_as_a_spectator(open_page):
    red, yellow, join = await start_two(open_page)
    spectator = await open_page(join)
    await expect_status(spectator, "You are watching.")
    # Now there is a free seat, which a reload must not take.
    await yellow.close()
    await expect_phase(red, "free")
    await spectator.reload()
    await expect_status(spectator, "You are watching.")
    await expect(act(spectator)).to_have_text("Play")


async def test_one_plays_both_sides_in_two_tabs(open_page):
    red, join, _ = await start(open_page)
    yellow = await open_tab(red, join)
    await expect_status(yellow, "You are yellow.")
    await play_all(red, yellow, [3, 3])
    for page, who in [(red, "red"), (yellow, "yellow")]:
        await page.reload()
        await expect_status(page, f"You are {who}.")
        await expect_board(page, [3, 3])


async def test_plain_address_leads_to_the_newest_seat_at_a_shared_match(
    open_page, site
):
    red, _, join = await start_two(open_page)
    await red.get_by_role("link", name="New game").click()
    await expect_phase(red, "waiting")
    alone = red.url
    # The first tab has the new match, at which nobody else has been. Another one
    # leads to the old one, and a third, as both are taken, starts one.
    tab = await open_tab(red, site.url)
    await expect_status(tab, "You are red.")
    assert tab.url == join
    third = await open_tab(red, site.url)
    await expect_phase(third, "waiting")
    assert third.url not in (join, alone)


async def test_game_that_is_over_is_come_back_to(open_page, site):
    red, yellow, _ = await start_two(open_page)
    await play_all(red, yellow, RED_WINS)
    await press(yellow, "Play again")
    await expect_sentence(red, "Yellow wants to play again.")
    await red.goto("about:blank")
    await red.goto(site.url)
    await expect_sentence(red, "Yellow wants to play again.")
    await press(red, "Play again")
    await expect_phase(yellow, "turn")
    await expect(red.locator(".plate.red .score")).to_have_text("1")


async def test_new_game_starts_afresh_and_back_returns(open_page):
    red, _, join = await start_two(open_page)
    await play(red, 3)
    await expect_board(red, [3])
    await red.get_by_role("link", name="New game").click()
    await expect_phase(red, "waiting")
    assert red.url != join
    await red.reload()
    await expect_phase(red, "waiting")
    await red.go_back()
    await expect_board(red, [3])
    assert red.url == join


async def test_seat_of_a_match_that_is_gone_does_not_stop_a_new_one(open_page, site):
    red, join, _ = await start(open_page)
    context = red.context
    await red.close()
    await site.stop()
    forget_all()
    await site.start()
    page = await context.new_page()
    await page.goto(site.url)
    await expect_phase(page, "waiting")
    assert page.url != join


async def test_key_that_is_unknown_is_tried_by_the_code(open_page):
    red, yellow, join = await start_two(open_page)
    await play_all(red, yellow, [3, 3])
    context = yellow.context
    await yellow.close()
    await press(red, "Let somebody play")
    await red.get_by_role("dialog").get_by_role("button", name="Let").click()
    await expect_sentence(red, "Yellow’s seat is free.")
    yellow = await context.new_page()
    await yellow.goto(join)
    await expect_status(yellow, "You are yellow.")
    await expect_board(yellow, [3, 3])


async def test_seat_that_another_tab_has_is_taken_when_that_goes(open_page, site):
    match = Match(site, open_page)
    await match.begin(3, 3, 4)
    first = await match.open("yellow")
    await expect_phase(first, "turn")
    entry = await first.evaluate("history.state")
    second = await open_tab(first, site.url + "page/favicon.svg")
    await second.evaluate("entry => history.replaceState(entry, '', '/')", entry)
    await second.reload()
    await expect_sentence(second, TAKEN)
    await first.close()
    await second.evaluate("document.dispatchEvent(new Event('visibilitychange'))")
    await expect_status(second, "You are yellow.")
    await play(second, 5)
    await match.end()


async def test_tutorial_links_with_keys_work_as_ever(open_page, site):
    match = Match(site, open_page)
    await match.begin(3)
    yellow = await match.open("yellow")
    await expect_status(yellow, "You are yellow.")
    assert match.links["yellow"].partition("=")[2] not in yellow.url
    stranger = await open_page(match.links["yellow"])
    await expect_sentence(stranger, "Somebody else is playing here.")
    await press(stranger, "Watch")
    await expect_status(stranger, "You are watching.")
    await match.end()


async def test_reload_is_remembered_where_storage_is_forbidden(open_page, site):
    red = await open_page("about:blank")
    await red.add_init_script(
        """Object.defineProperty(window, "localStorage", {
            get() { throw new DOMException("no", "SecurityError"); } })"""
    )
    await red.goto(site.url)
    await play(red, 3)
    await expect_board(red, [3])
    await red.get_by_role("button", name="Sound").click()
    await red.reload()
    await expect_board(red, [3])


async def test_nothing_that_is_dead_is_shown_without_the_script(open_page):
    page = await open_page(java_script_enabled=False)
    for role in ("link", "button"):
        dead = page.get_by_role(role).filter(has_not_text="reload")
        await expect(dead).to_have_count(0)


async def test_six_who_wait_become_three_pairs_by_three_taps(open_page):
    pages = []
    for _ in range(6):
        pages.append(await open_page())
        await expect_phase(pages[-1], "waiting")
    for page in pages[1::2]:
        await expect(page.locator(".somebody")).to_be_visible()
    taps = [
        page.get_by_role("link", name="Play", exact=True).click()
        for page in pages[1::2]
    ]
    await asyncio.gather(*taps)
    for page in pages[::2]:
        await expect_phase(page, "turn")
    for page in pages[1::2]:
        await expect_phase(page, "theirs")
