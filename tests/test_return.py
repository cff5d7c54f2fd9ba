"""Whatever somebody opens, they end up where they wanted to be."""

import json
import shutil

import pytest
from playwright.async_api import async_playwright, expect

from conftest import BROWSER_OPTIONS
from people import column, play, press, see

# Count how often a connection was begun, and has ended.
COUNT = """
    Object.assign(window, { begun: 0, ended: 0 });
    window.WebSocket = class extends WebSocket {
        constructor(...options) {
            super(...options);
            begun += 1;
            this.addEventListener("close", () => ended++);
        }
    };
"""

LOOK = "document.dispatchEvent(new Event('visibilitychange'))"


async def test_code_or_link_that_one_types_leads_to_its_match(match):
    await match.begin(3)
    page = await match.open_page(match.site.url)
    field = page.get_by_label("Have a code?")
    await field.fill("k7")
    await field.press("Enter")
    message = await field.evaluate("field => field.validationMessage")
    assert message == "A code has six letters and digits."
    await field.fill(f"{match.links['code']}?utm_source=chat/")
    await see(page, said="You are watching.", moves=[3])
    await page.goto(f"{match.site.url}?new")
    await field.fill(match.links["red"])
    await see(page, sentence="Somebody else is playing here.")
    await press(page, "Watch")
    await see(page, said="You are watching.")


async def test_address_that_leads_nowhere_can_be_mended(match):
    await match.begin(3)
    await match.leave("yellow")
    page = await match.open_page(f"{match.site.url}?who=knows")
    await see(page, sentence="This address leads to no game.", act="New game")
    await page.evaluate("code => { location.hash = code }", match.links["code"][-6:])
    await see(page, said="You are yellow.", moves=[3])
    await page.goto(f"{match.site.url}zzzzzz")
    await see(page, sentence="No game has the code zzzzzz.")
    field = page.get_by_label("Have a code?")
    await expect(field).to_have_value("zzzzzz")
    # Nobody is led away by what is deleted or half typed.
    await page.evaluate("window.away = 0; navigation.onnavigate = () => away++; 0")
    for text in ("", "http:", "?", "join k"):
        await field.fill(text)
    assert await page.evaluate("away") == 0
    await press(page, "Back to your game")
    await see(page, said="You are yellow.")
    assert page.url == match.links["code"]


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
        await red.add_init_script("onpageshow = (event) => { window.shown = event }")
        await red.goto(match.links["red"])
        await see(red, phase="theirs")
        await red.goto(f"{match.site.url}page/favicon.svg")
        await match.seats["yellow"].play(2)
        await red.go_back(wait_until="commit")
        await play(red, 5)
        await see(red, phase="theirs", moves=[3, 3, 4, 2, 5])
        assert await red.evaluate("shown.persisted")
        await browser.close()


async def test_seat_that_another_tab_has_is_taken_when_that_goes(match):
    await match.begin(3, 3, 4)
    page = await match.open_page("about:blank")
    await page.clock.install(time=0)
    await page.clock.pause_at(1000)
    key = match.links["yellow"].partition("=")[2]
    entry = {"code": match.links["code"][-6:], "key": key}
    remember = f"history.replaceState({json.dumps(entry)}, '')"
    await page.add_init_script(COUNT + remember)
    await page.goto(match.site.url)
    taken = "You are playing this in another tab. When that is closed, it goes on here."
    await see(page, sentence=taken, act="")
    for number in (2, 3):
        await page.evaluate(LOOK)
        await page.wait_for_function(f"() => ended === {number}")
    # However often one has looked, it's tried once more.
    await page.clock.run_for(6000)
    await page.wait_for_function("() => ended === 4")
    assert await page.evaluate("begun") == 4
    await match.leave("yellow")
    await page.evaluate(LOOK)
    await see(page, said="You are yellow.")


async def test_reload_is_remembered_where_storage_is_forbidden(open_page):
    forbid = """Object.defineProperty(window, "localStorage", {
        get() { throw new DOMException("no", "SecurityError"); } })"""
    red = await open_page(script=forbid)
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
