"""What one hears of a game, or feels, once one has touched the page."""

from playwright.async_api import expect

from helpers import DRAWN
from people import play, see
from stories import continue_story, tell

# Note what is played when, and what is felt. The clock of the sound, which runs in a
# thread of its own, stands still. It runs as on an iPhone, when a finger was lifted; to
# Chromium, all that Playwright does would be a reason.
LISTEN = """() => {
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
}"""

COMING = [[180, 0], [180, 0.13]]
DRAW = [[392, 0], [294, 0.2]]
WINNING = [[523, 0], [659, 0], [784, 0]]


def knock(row):
    """Return how a checker sounds that lands in a row, at once, and bounces."""
    tones = [[420, 0], [1180, 0], [420, 0.11], [1180, 0.11]]
    return [[round(frequency * 1.03**row), delay] for frequency, delay in tones]


async def hear(page, story, steps):
    """Go on with a story, and return what has been heard then."""
    await page.evaluate("(steps) => go(steps)", continue_story(story, steps))
    return await page.evaluate("heard.splice(0)")


async def test_nothing_is_heard_before_somebody_touches_the_page(stage):
    page = await stage()
    await page.evaluate(LISTEN)
    await tell(page, "spectator RY")
    # There is a context, but it doesn't run.
    await page.mouse.move(1, 1)
    await page.mouse.down()
    assert await hear(page, "spectator RY", "012") == []
    await page.mouse.up()
    assert await hear(page, "spectator RY 012", "5") == knock(0)


async def test_moves_ends_and_people_have_their_sounds(stage):
    page = await stage()
    await page.evaluate(LISTEN)
    await page.mouse.click(1, 1)
    begun, over, full = "RY 010101", "RY 0101010 wins", "".join(map(str, DRAWN))
    for story, steps, sounds in [
        (f"red {begun}", "0; wins", knock(3) + WINNING),
        (f"yellow {begun}", "0; wins", knock(3)),
        # Who looks back doesn't hear the end again, nor what happens meanwhile.
        (f"spectator {begun}", "0; wins; at 6; at 7", knock(3) + WINNING),
        ("spectator RY 33", "at 1; 2; at 2; at 3", []),
        (f"yellow RY {full[:-1]}", f"{full[-1]}; draw", knock(5) + DRAW),
        (f"red {over}", "yellow asks", [[330, 0]]),
        (f"yellow {over}", "yellow asks", []),
        ("red R-", "RY", COMING),
    ]:
        await tell(page, story)
        assert await hear(page, story, steps) == sounds, story


async def test_knock_waits_for_the_checker_to_fall(stage):
    page = await stage(reduced_motion="no-preference")
    await page.evaluate(LISTEN)
    await page.mouse.click(1, 1)
    await tell(page, "spectator RY 3")
    assert 0.2 < (await hear(page, "spectator RY 3", "3"))[0][1] < 0.5


async def test_silence_is_remembered_and_a_pulse_is_felt_instead(match):
    await match.begin(3)
    page = await match.open("yellow", script=f"({LISTEN})()")
    sound = page.get_by_role("button", name="Sound", exact=True)
    await sound.click()
    await page.reload()
    # The name of the button stays when it is pressed, as it says which is on.
    await expect(sound).to_have_attribute("aria-pressed", "false")
    await page.mouse.click(1, 1)
    await play(page, 3)
    await see(page, moves=[3, 3])
    await (red := match.seats["red"]).play(4)
    await see(page, moves=[3, 3, 4])
    assert await page.evaluate("heard.splice(0)") == ["pulse 30"]
    await sound.click()
    await match.leave("red")
    await see(page, sentence="Red is away.")
    await match.server.come_back(red)
    await see(page, said="Red is back.")
    assert await page.evaluate("heard") == COMING
