"""Tests of what one hears, or feels, once one has touched the page."""

import pytest
from playwright.async_api import expect

from helpers import DRAWN, RED_WINS
from states import (
    expect_board,
    expect_phase,
    expect_sentence,
    play,
    play_all,
    press,
    start_two,
)

# Note what is played and when, and what is felt, instead of only doing it. The clock of
# the sound, which runs in a thread of its own, stands still.
LISTEN = """
    window.heard = [];
    Object.defineProperty(BaseAudioContext.prototype, "currentTime", { value: 0 });
    window.AudioContext = class extends AudioContext {
        constructor() {
            super();
            window.context = this;
        }
    };
    const { start } = OscillatorNode.prototype;
    OscillatorNode.prototype.start = function (when) {
        heard.push([Math.round(this.frequency.value), Math.round(when * 100) / 100]);
        start.call(this, when);
    };
    navigator.vibrate = (pattern) => { heard.push(`pulse ${pattern}`); };
"""

# A checker lands in the bottom row, at once, and bounces.
KNOCK = [[420, 0], [1180, 0], [420, 0.11], [1180, 0.11]]


@pytest.fixture
def match(match):
    match.options = {"script": LISTEN}
    return match


async def touch(page):
    """Touch the page where nothing is, and wait until it can be heard."""
    await page.mouse.click(1, 1)
    await page.wait_for_function("() => window.context?.state === 'running'")


async def heard(page):
    """Return what has been heard, or felt, since this was asked before."""
    return await page.evaluate("heard.splice(0)")


async def test_nothing_is_heard_before_somebody_has_touched_the_page(match):
    await match.begin()
    page = await match.open("spectator")
    await match.play(0, 1, 2, 3, 0, 1, 2, 3)
    await expect_board(page, [0, 1, 2, 3, 0, 1, 2, 3])
    await touch(page)
    assert await heard(page) == []
    await match.play(5)
    await expect_board(page, [0, 1, 2, 3, 0, 1, 2, 3, 5])
    assert await heard(page) == KNOCK


@pytest.mark.parametrize("event", ["pointerdown", "pointerup", "click", "keydown"])
async def test_sound_may_start_with_whatever_is_a_reason_somewhere(match, event):
    page = await match.open_page(match.site.url, script=LISTEN)
    await expect(page.get_by_role("button", name="Sound")).to_be_visible()
    assert not await page.evaluate("'context' in window")
    await page.locator("h1").dispatch_event(event)
    assert await page.evaluate("'context' in window")


async def test_each_move_knocks_and_the_end_of_a_game_has_its_tones(open_page):
    red, yellow, join = await start_two(open_page, script=LISTEN)
    spectator = await open_page(join, script=LISTEN)
    pages = (red, yellow, spectator)
    await expect_phase(spectator, "watching")
    for page in pages:
        await touch(page)
    await play_all(red, yellow, [0, 1])
    for page in pages:
        await expect_board(page, [0, 1])
        assert await heard(page) == KNOCK * 2
    await play_all(red, yellow, RED_WINS[2:])
    won = [[523, 0], [659, 0], [784, 0]]
    for page, phase, tones in [
        (red, "won", won),
        (yellow, "lost", []),
        (spectator, "over", won),
    ]:
        await expect_phase(page, phase)
        # Each row has a pitch of its own.
        assert (await heard(page))[16:] == [
            *([round(f * 1.03**3), delay] for f, delay in KNOCK),
            *tones,
        ]
    await press(yellow, "Play again")
    await expect_sentence(red, "Yellow wants to play again.")
    # The end isn't heard once more.
    for page, tones in [(red, [[330, 0]]), (yellow, []), (spectator, [[330, 0]])]:
        assert await heard(page) == tones


async def test_somebody_who_comes_and_a_draw_are_heard(match):
    await match.begin(*DRAWN[:-1])
    page = await match.open("yellow")
    await touch(page)
    red = await match.open("red")
    await expect(page.get_by_role("status")).to_contain_text("Red is back.")
    assert await heard(page) == [[180, 0], [180, 0.13]]
    await play(page, DRAWN[-1])
    await expect_phase(red, "drawn")
    await expect_phase(page, "drawn")
    assert (await heard(page))[4:] == [[392, 0], [294, 0.2]]


async def test_knock_waits_for_the_checker_to_fall(match):
    match.options = {"script": LISTEN, "reduced_motion": "no-preference"}
    await match.begin(3)
    page = await match.open("spectator")
    await touch(page)
    await match.play(3)
    await expect_board(page, [3, 3])
    (_, delay), *_ = await heard(page)
    assert 0.2 < delay < 0.5


async def test_silence_is_remembered_and_a_pulse_is_felt_instead(match):
    await match.begin(3)
    page = await match.open("yellow")
    sound = page.get_by_role("button", name="Sound", exact=True)
    await sound.click()
    await page.reload()
    # The name of the button stays when it is pressed, as it says which is on.
    await expect(sound).to_have_attribute("aria-pressed", "false")
    await touch(page)
    await play(page, 3)
    await expect_board(page, [3, 3])
    assert await heard(page) == []
    await match.seats["red"].play(4)
    await expect_board(page, [3, 3, 4])
    assert await heard(page) == ["pulse 30"]
    await sound.click()
    await expect(sound).to_have_attribute("aria-pressed", "true")
    await play(page, 5)
    await expect_board(page, [3, 3, 4, 5])
    assert await heard(page) == KNOCK
