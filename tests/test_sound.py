"""Tests of the knock when somebody else's checker lands, and of silence."""

import pytest
from playwright.async_api import expect

from helpers import RED_WINS
from states import Match, expect_board

# Note what is played and when, and what is felt, instead of only doing it. The clock of
# the sound, which runs in a thread of its own, stands still.
LISTEN = """
    window.heard = [];
    Object.defineProperty(BaseAudioContext.prototype, "currentTime", { value: 0 });
    const { start } = OscillatorNode.prototype;
    OscillatorNode.prototype.start = function (when) {
        window.heard.push(when - this.context.currentTime);
        start.call(this, when);
    };
    navigator.vibrate = (pattern) => { window.heard.push(`pulse ${pattern}`); };
"""


@pytest.fixture
async def match(site, open_page):
    """A match on the wire, whose pages are listened to."""

    async def open_listening(url, **options):
        page = await open_page("about:blank", **options)
        await page.add_init_script(LISTEN)
        await page.goto(url)
        return page

    match = Match(site, open_listening)
    yield match
    await match.end()


async def heard(page):
    """Return what has been heard, or felt, since this was asked before."""
    return await page.evaluate("window.heard.splice(0)")


@pytest.mark.parametrize("who", ["red", "spectator"])
async def test_move_of_somebody_else_is_heard_once_the_page_was_touched(match, who):
    await match.begin(3)
    page = await match.open(who)
    await match.play(3) if who == "spectator" else await match.seats["yellow"].play(3)
    await expect_board(page, [3, 3])
    assert await heard(page) == []
    await page.mouse.click(1, 1)
    if who == "red":
        await page.locator(".column[data-column='4']").click()
        await expect_board(page, [3, 3, 4])
        assert await heard(page) == []
        await match.seats["yellow"].play(4)
        await expect_board(page, [3, 3, 4, 4])
    else:
        await match.play(4)
        await expect_board(page, [3, 3, 4])
    # With motion reduced nothing falls.
    assert await heard(page) == [0]


async def test_knock_waits_for_the_checker_to_fall(match):
    match.options = {"reduced_motion": "no-preference"}
    await match.begin(3)
    page = await match.open("spectator")
    await page.mouse.click(1, 1)
    await match.play(3)
    await expect_board(page, [3, 3])
    fall = page.locator(".falling")
    await expect(fall).to_have_count(1)
    duration = await fall.evaluate(
        "cell => parseFloat(getComputedStyle(cell, '::before').animationDuration)"
    )
    assert 0.3 < duration < 0.5
    assert await heard(page) == [pytest.approx(duration, abs=0.001)]


async def test_past_is_not_heard_again(match):
    await match.begin(*RED_WINS)
    page = await match.open("spectator")
    await page.mouse.click(1, 1)
    match.cut()
    await expect(page.get_by_role("status")).to_contain_text("lost")
    await expect(page.get_by_role("status")).to_contain_text("Red wins")
    await page.get_by_role("button", name="Previous move").click()
    await page.get_by_role("button", name="Next move").click()
    assert await heard(page) == []


async def test_silence_is_remembered_and_a_pulse_is_felt_instead(match):
    await match.begin(3)
    page = await match.open("spectator")
    sound = page.get_by_role("button", name="Sound")
    await expect(sound).to_have_attribute("aria-pressed", "true")
    await sound.click()
    await expect(sound).to_have_attribute("aria-pressed", "false")
    await page.reload()
    await expect(sound).to_have_attribute("aria-pressed", "false")
    await expect_board(page, [3])
    await match.play(3)
    await expect_board(page, [3, 3])
    assert await heard(page) == ["pulse 30"]
    await sound.click()
    await match.play(4)
    await expect_board(page, [3, 3, 4])
    assert len(await heard(page)) == 1
