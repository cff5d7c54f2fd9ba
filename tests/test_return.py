"""Whatever somebody opens, they end up where they wanted to be."""

import asyncio
import shutil

import pytest
from playwright.async_api import async_playwright, expect

from conftest import BROWSER_OPTIONS
from helpers import forget_all
from people import column, link, open_tab, play, press, see, start, take_turns

# Count how often a connection was closed.
COUNT_ENDS = """
    window.ends = 0;
    window.WebSocket = class extends WebSocket {
        constructor(...options) {
            super(...options);
            this.addEventListener("close", () => ends++);
        }
    };
"""


async def test_code_is_typed_or_pasted_or_put_behind_the_address(open_page, site):
    red, join, _ = await start(open_page)
    yellow, _, _ = await start(open_page)
    field = yellow.get_by_label("Have a code?")
    await field.fill("k7")
    await field.press("Enter")
    message = await field.evaluate("field => field.validationMessage")
    assert message == "A code has six letters and digits."
    await field.fill(f"{join}?utm_source=chat/")
    await see(yellow, said="You are yellow.")
    await play(red, 3)
    await see(yellow, moves=[3])
    # An address that means nothing starts no game.
    page = await open_page(f"{site.url}?who=knows")
    await see(page, sentence="This address leads to no game.", act="New game")
    await page.evaluate("code => { location.hash = code }", join[-6:])
    await see(page, said="You are watching.", moves=[3])
    # A wrong one stands there to be mended, and one's own match is near.
    await red.goto(f"{site.url}zzzzzz")
    await see(red, sentence="No game has the code zzzzzz.")
    await expect(red.get_by_label("Have a code?")).to_have_value("zzzzzz")
    await press(red, "Back to your game")
    await see(red, said="You are red.", moves=[3])
    assert red.url == join


async def test_link_with_a_key_is_pasted_where_one_types_a_code(match):
    await match.begin(3)
    await match.leave("red")
    page = await match.open_page(match.site.url)
    await page.get_by_label("Have a code?").fill(match.links["red"])
    await see(page, said="You are red.", moves=[3])


async def test_nobody_is_led_away_by_what_is_deleted_or_half_typed(open_page, site):
    page = await open_page(f"{site.url}zzzzzz")
    await see(page, sentence="No game has the code zzzzzz.")
    await page.evaluate("""() => {
        window.ways = [];
        const note = ({ destination }) => ways.push(destination.url);
        navigation.addEventListener("navigate", note);
    }""")
    for text in ("", "http:", "?", "join k"):
        await page.get_by_label("Have a code?").fill(text)
    assert await page.evaluate("ways") == []


async def test_four_who_open_the_same_address_become_pairs_by_a_tap_each(open_page):
    pages = [(await start(open_page))[0] for _ in range(4)]
    firsts, seconds = pages[::2], pages[1::2]
    for first, second in zip(firsts, seconds, strict=True):
        await see(second, somebody=first.url[-6:])
        await see(first, somebody="")
    await asyncio.gather(*(page.click("a.play") for page in seconds))
    await see(*firsts, phase="turn")
    await see(*seconds, phase="theirs")


async def test_link_to_watch_never_takes_a_seat(open_page):
    red, _, watch = await start(open_page)
    await red.locator(".invitation .turn").click()
    assert await link(red) == watch
    spectator = await open_page(watch)
    for _ in range(2):
        await see(spectator, said="You are watching.", act="Play")
        await spectator.reload()
    assert spectator.url == watch
    await see(red, phase="waiting")


async def test_one_plays_both_sides_in_two_tabs(open_page):
    red, join, _ = await start(open_page)
    yellow = await open_tab(red, join)
    await take_turns(red, yellow, [3, 3])
    for page, who in [(red, "red"), (yellow, "yellow")]:
        await page.reload()
        await see(page, said=f"You are {who}.", moves=[3, 3])


async def test_back_brings_a_page_that_was_kept_into_the_game_as_it_is(match):
    # Playwright switches this cache off, and the headless shell has none.
    chromium = shutil.which("chromium") or shutil.which("google-chrome")
    if chromium is None:
        pytest.skip("no chromium")
    await match.begin(3, 3, 4)
    await match.leave("red")
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(
            executable_path=chromium,
            args=BROWSER_OPTIONS,
            ignore_default_args=["--disable-back-forward-cache"],
        )
        red = await browser.new_page(reduced_motion="reduce")
        listen = "addEventListener('pageshow', (event) => { window.shown = event })"
        await red.add_init_script(listen)
        await red.goto(match.links["red"])
        await see(red, phase="theirs")
        await red.goto(f"{match.site.url}page/favicon.svg")
        await match.play(2)
        await red.go_back(wait_until="commit")
        await play(red, 5)
        await see(red, phase="theirs", moves=[3, 3, 4, 2, 5])
        assert await red.evaluate("shown.persisted")
        await browser.close()


async def test_seat_of_a_match_that_is_gone_does_not_stop_a_new_one(open_page, site):
    red, join, _ = await start(open_page)
    page = await open_tab(red, "about:blank")
    await red.close()
    await site.stop()
    forget_all()
    await site.start()
    await page.goto(site.url)
    await see(page, phase="waiting")
    assert page.url != join


async def test_seat_that_another_tab_has_is_taken_when_that_goes(match):
    await match.begin(3, 3, 4)
    first = await match.open("yellow")
    entry = await first.evaluate("history.state")
    second = await open_tab(first, f"{match.site.url}page/favicon.svg")
    await second.evaluate("entry => history.replaceState(entry, '', '/')", entry)
    await second.clock.install()
    await second.add_init_script(COUNT_ENDS)
    await second.reload()
    taken = "You are playing this in another tab. When that is closed, it goes on here."
    await see(second, sentence=taken, act="")
    come_back = "document.dispatchEvent(new Event('visibilitychange'))"
    attempts = []
    second.on("websocket", lambda attempt: attempts.append(attempt))
    for number in range(3):
        await second.evaluate(come_back)
        await second.wait_for_function(f"() => ends === {number + 2}")
    # However often one has looked, it's tried once more.
    await second.clock.run_for(6000)
    await second.wait_for_function("() => ends >= 5")
    assert len(attempts) == 4
    await first.close()
    await second.evaluate(come_back)
    await see(second, said="You are yellow.")
    await play(second, 5)


async def test_tutorial_links_with_keys_work_as_ever(match):
    await match.begin(3)
    yellow = await match.open("yellow")
    await see(yellow, said="You are yellow.")
    assert match.links["yellow"].partition("=")[2] not in yellow.url
    stranger = await match.open_page(match.links["yellow"])
    await see(stranger, sentence="Somebody else is playing here.")
    await press(stranger, "Watch")
    await see(stranger, said="You are watching.")


async def test_reload_is_remembered_where_storage_is_forbidden(open_page):
    forbid = """Object.defineProperty(window, "localStorage", {
        get() { throw new DOMException("no", "SecurityError"); } })"""
    red = await open_page(script=forbid)
    await see(red, phase="waiting")
    await column(red, 3).click()
    await see(red, moves=[3])
    await red.get_by_role("button", name="Sound").click()
    await red.reload()
    await see(red, said="You are red.", moves=[3])


async def test_nothing_that_is_dead_is_shown_without_the_script(open_page):
    page = await open_page(java_script_enabled=False)
    for role in ("link", "button", "banner", "main"):
        dead = page.get_by_role(role).filter(has_not_text="reload")
        await expect(dead).to_have_count(0)
