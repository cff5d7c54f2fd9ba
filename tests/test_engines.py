"""What engines may do differently: Chromium's, Firefox's, and WebKit's (Safari's)."""

import asyncio
import os
import shutil

import pytest

from helpers import KEYS, RED_WINS
from people import STOPPED, link, press_keys, see, start_two, take_turns

OTHERS = [
    pytest.mark.slow,
    # Those who drive the browsers leave sockets open, and call what is deprecated.
    pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::ResourceWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]
ENGINES = [pytest.param(name, marks=OTHERS) for name in ("firefox", "webkit")]

# An address of this machine that browsers don't trust as they trust localhost, so that
# what they grant to secure pages only is missing. It's IPv4's in the clothes of IPv6.
UNTRUSTED = "[::ffff:127.0.0.1]"


@pytest.fixture(scope="session", params=["chromium", *ENGINES])
def browsers(request):
    """Two browsers with one engine, and nothing else in common; of Chromium, none."""
    if request.param == "chromium":
        yield None
        return
    import webdriver

    open_browser, programs, packages = webdriver.ENGINES[request.param]
    if not all(map(shutil.which, programs)):
        advice = f"no {request.param}: on Debian, apt install {packages}"
        (pytest.fail if os.environ.get("CI") else pytest.skip)(advice)
    with open_browser() as red, open_browser() as yellow:
        yield red, yellow


@pytest.fixture
async def open_next(browsers, site, open_page):
    """A function that opens a page in the next browser."""
    unused = [*(browsers or [])]

    async def open_next(url=site.url):
        page = unused.pop() if browsers else await open_page("about:blank")
        await page.goto(url)
        return page

    yield open_next
    # A page that is left open would look for the site of the next test.
    await asyncio.gather(*(page.goto("about:blank") for page in browsers or []))


@pytest.mark.slow
async def test_two_play_by_keys(open_next):
    red, yellow, _ = await start_two(open_next)
    left = "ArrowLeft"
    keys = ["1"], ["2"], [left, left, left, "Enter"], [left, left, "ArrowDown"], [" "]
    for number, chosen in enumerate([*keys, ["2"], ["1"]]):
        page = yellow if number % 2 else red
        await see(page, phase="turn", moves=RED_WINS[:number])
        await press_keys(page, *chosen)
    await see(red, said="You win: column 1, rows 1 to 4.", line=4)


async def test_both_players_come_back_and_so_does_the_server(open_next, site):
    red, yellow, join = await start_two(open_next)
    await take_turns(red, yellow, [3, 3])
    for page, player in [(red, "red"), (yellow, "yellow")]:
        await page.reload()
        await see(page, said=f"You are {player}.", moves=[3, 3])
        for url in (join, site.url):
            await page.goto("about:blank")
            await page.goto(url)
            await see(page, said=f"You are {player}.", moves=[3, 3])
    await red.click(".new")
    await see(red, phase="waiting")
    KEYS.add((await link(red))[-6:])
    await red.go_back()
    await take_turns(red, yellow, [4, 2])
    await see(red, yellow, moves=[3, 3, 4, 2])
    await site.stop()
    await see(red, yellow, sentence=STOPPED, moves=[3, 3, 4, 2])
    await site.start()
    await take_turns(red, yellow, [5, 2])
    await see(red, yellow, moves=[3, 3, 4, 2, 5, 2])


@pytest.mark.parametrize("host", ["127.0.0.1", UNTRUSTED])
async def test_link_is_copied_on_any_address(open_next, site, host):
    red = await open_next(site.url.replace("127.0.0.1", host))
    await see(red, said="You are red.")
    join = await link(red)
    KEYS.add(join[-6:])
    is_secure = await red.evaluate("() => isSecureContext && 'clipboard' in navigator")
    assert is_secure == (host == "127.0.0.1")
    await red.click(".copy")
    await see(red, said="The link is copied.")
    await red.evaluate("""() => {
        document.body.append(document.createElement("textarea"));
        document.querySelector("textarea").focus();
    }""")
    await press_keys(red, "Control+v")
    pasted = "(link) => document.querySelector('textarea').value === link"
    await red.wait_for_function(pasted, arg=join)
