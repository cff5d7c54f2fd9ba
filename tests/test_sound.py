"""What one hears of a game, or feels, once one has touched the page."""

from playwright.async_api import expect

from helpers import DRAWN, RED_WINS
from people import play, press, see

# Note what is played when, and what is felt. The clock of the sound, which runs in a
# thread of its own, stands still. It runs as on an iPhone, when a finger was lifted; to
# Chromium, all that Playwright does would be a reason.
LISTEN = """
    window.heard = [];
    window.isTouched = false;
    addEventListener("pointerup", (event) => { isTouched ||= event.isTrusted; }, true);
    window.AudioContext = class extends AudioContext {
        get state() { return this.isHeard ? "running" : "suspended"; }
        get currentTime() { return 0; }
        resume() { this.isHeard = isTouched; }
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


async def listen(match, who, **options):
    """Open a page, touch it where nothing is, and return it."""
    match.options = {"script": LISTEN, **options}
    page = await match.open(who)
    await expect(page.get_by_role("button", name="Sound")).to_be_visible()
    await page.mouse.click(1, 1)
    return page


async def heard(page):
    """Return what has been heard, or felt, since this was asked before."""
    return await page.evaluate("heard.splice(0)")


async def test_nothing_is_heard_before_a_touch_or_while_one_looks_back(match):
    await match.begin()
    match.options = {"script": LISTEN}
    page = await match.open("spectator")
    # There is a context, but it doesn't run.
    await page.mouse.move(1, 1)
    await page.mouse.down()
    await match.play(0, 1, 2)
    await see(page, moves=[0, 1, 2])
    await page.mouse.up()
    assert await heard(page) == []
    await match.play(5)
    await see(page, moves=[0, 1, 2, 5])
    assert await heard(page) == KNOCK
    await page.get_by_role("button", name="Previous move").click()
    await match.play(6)
    await see(page, shown="Move 3 of 5")
    for _ in range(2):
        await page.get_by_role("button", name="Next move").click()
    await see(page, moves=[0, 1, 2, 5, 6])
    assert await heard(page) == []


async def test_each_move_knocks_and_the_end_of_a_game_has_its_tones(match):
    await match.begin(*RED_WINS[:-1])
    names = ("red", "yellow", "spectator")
    pages = red, yellow, spectator = [await listen(match, name) for name in names]
    for page in pages:
        await heard(page)  # who has come since
    await play(red, RED_WINS[-1])
    await see(*pages, sentence="Four in a row!")
    # Each row has a pitch of its own.
    knock = [[round(frequency * 1.03**3), delay] for frequency, delay in KNOCK]
    won = [[523, 0], [659, 0], [784, 0]]
    for page, tones in [(red, won), (yellow, []), (spectator, won)]:
        assert await heard(page) == knock + tones
    # Neither who looks back nor whoever asks for more hears the end again.
    await spectator.get_by_role("button", name="Previous move").click()
    await spectator.get_by_role("button", name="Next move").click()
    await press(yellow, "Play again")
    await see(red, spectator, said="Yellow wants to play again.")
    for page, tones in [(red, [[330, 0]]), (yellow, []), (spectator, [[330, 0]])]:
        assert await heard(page) == tones


async def test_somebody_who_comes_and_a_draw_are_heard(match):
    await match.begin(*DRAWN[:-1])
    page = await listen(match, "yellow")
    await match.leave("red")
    await see(page, sentence="Red is away.")
    await match.open("red")
    await see(page, said="Red is back.")
    assert await heard(page) == [[180, 0], [180, 0.13]]
    await play(page, DRAWN[-1])
    await see(page, phase="drawn", sign="A draw")
    assert (await heard(page))[4:] == [[392, 0], [294, 0.2]]


async def test_knock_waits_for_the_checker_to_fall(match):
    await match.begin(3)
    page = await listen(match, "spectator", reduced_motion="no-preference")
    await match.play(3)
    await see(page, moves=[3, 3])
    assert 0.2 < (await heard(page))[0][1] < 0.5


async def test_silence_is_remembered_and_a_pulse_is_felt_instead(match):
    await match.begin(3)
    page = await listen(match, "yellow")
    sound = page.get_by_role("button", name="Sound", exact=True)
    await sound.click()
    await page.reload()
    # The name of the button stays when it is pressed, as it says which is on.
    await expect(sound).to_have_attribute("aria-pressed", "false")
    await page.mouse.click(1, 1)
    await play(page, 3)
    await match.seats["red"].play(4)
    await see(page, moves=[3, 3, 4])
    assert await heard(page) == ["pulse 30"]
    await sound.click()
    await expect(sound).to_have_attribute("aria-pressed", "true")
