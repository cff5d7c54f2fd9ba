"""
Tests of the page in other engines than Chromium's: Firefox, and WebKit as in Safari.

What is tested here is what engines may do differently: to remember, to go back, to
copy and to handle keys. All else is tested in Chromium.

"""

import asyncio
import os

import pytest

import webdriver
from helpers import KEYS, RED_WINS, TIMEOUT

pytestmark = pytest.mark.slow

# An address of this machine that browsers don't trust as they trust localhost, so
# that what they grant to secure pages only is missing, as on another machine. It's
# IPv4's in the clothes of IPv6.
UNTRUSTED = "[::ffff:127.0.0.1]"

STOPPED = "The server has stopped, and this game is gone."
GONE = "This game is gone. You can start a new one."

# The colours on the board, by columns from the left and from the bottom.
BOARD = """(board) => {
    const colours = Array.from(document.querySelectorAll(".column"), (column) =>
        Array.from(column.querySelectorAll(".cell"), ({ classList }) =>
            ["red", "yellow"].find((colour) => classList.contains(colour)) ?? "empty"));
    return JSON.stringify(colours) === JSON.stringify(board);
}"""


ARRIVED = """() => {
    const board = document.querySelector(".board");
    return board.getAnimations().every(({ playState }) => playState === "finished");
}"""


@pytest.fixture(scope="session", params=list(webdriver.PROGRAMS))
async def browsers(request):
    """Two browsers with one engine, and nothing else in common."""
    if packages := webdriver.missing(request.param):
        packages = " ".join(packages)
        advice = f"no {request.param}: on Debian, apt install {packages}"
        if os.environ.get("CI"):
            pytest.fail(advice)
        pytest.skip(advice)
    async with webdriver.open_browser(request.param) as red:
        async with webdriver.open_browser(request.param) as yellow:
            yield red, yellow


@pytest.fixture
async def pages(browsers, site):
    """The pages of two people, who haven't opened anything yet."""
    yield browsers
    # A page that is left open would look for the site of the next test.
    await asyncio.gather(*(page.goto("about:blank") for page in browsers))


# What people do with a page, and see there


async def start(page, url):
    """Open the page of a first player; return the Join and Watch links."""
    await page.goto(url)
    await expect_status(page, "You are red.")
    links = [await link(page, name) for name in ("join", "watch")]
    KEYS.update(url.partition("=")[2] for url in links)
    return links


async def begin(pages, site):
    """Open the pages of both players of a new game."""
    red, yellow = pages
    join, _ = await start(red, site.url)
    await yellow.goto(join)
    await expect_status(yellow, "You are yellow.")
    return red, yellow


async def link(page, name):
    """Return the address of a link of the page."""
    return await page.evaluate(f"() => document.querySelector('a.{name}').href")


async def play_all(red, yellow, columns, first="red"):
    """Click columns in turn, as soon as it's each player's."""
    pages = [red, yellow] if first == "red" else [yellow, red]
    for number, column in enumerate(columns):
        page = pages[number % 2]
        await expect_status(page, "Your turn.")
        # For a moment after the invitation nobody can click the board.
        await page.until(ARRIVED)
        await page.click(f".column[data-column='{column}']")


async def expect_status(page, text):
    """Wait until the status says so."""
    await page.until(
        "(text) => document.querySelector('.status')?.textContent.includes(text)", text
    )


async def expect_state(page, state):
    """Wait until the page is in a state, as its style sheet sees it."""
    await page.until("(state) => document.body?.dataset.state === state", state)


async def expect_board(page, columns, first="red"):
    """Wait until the board shows just the moves in these columns."""
    colours = ["red", "yellow"] if first == "red" else ["yellow", "red"]
    board = [["empty"] * 6 for _ in range(7)]
    for number, column in enumerate(columns):
        board[column][board[column].index("empty")] = colours[number % 2]
    await page.until(BOARD, board)


async def press_in_turn(red, yellow, *moves):
    """Press the keys of moves, as soon as it's each player's turn."""
    for number, keys in enumerate(moves):
        page = yellow if number % 2 else red
        await expect_status(page, "Your turn.")
        await page.press(*keys)


async def expect_paste(page, text):
    """Paste into a new field, and wait until it holds this text."""
    await page.evaluate(
        """() => {
            const field = document.createElement("input");
            field.className = "pasted";
            document.body.append(field);
            field.focus();
        }"""
    )
    await page.press("Control+v")
    await page.until("(text) => document.querySelector('.pasted').value === text", text)


async def reach_board(page):
    """Press Tab until a column has the focus."""
    focus = "document.activeElement"
    async with asyncio.timeout(TIMEOUT):
        while not await page.evaluate(f"() => {focus}.matches('.column')"):
            await page.evaluate(f"() => {{ {focus}.dataset.before = '' }}")
            await page.press("Tab")
            await page.until(f"() => {focus}.dataset.before === undefined")


# What they do in a game


async def test_two_play_a_whole_game_and_a_rematch(pages, site):
    red, yellow = await begin(pages, site)
    await play_all(red, yellow, RED_WINS)
    await expect_status(red, "You win!")
    await expect_status(yellow, "Red wins!")
    await expect_state(red, "won")
    await expect_state(yellow, "lost")
    for page in (red, yellow):
        await expect_board(page, RED_WINS)
    await red.click(".rematch")
    await expect_status(yellow, "Red wants a rematch")
    await yellow.click(".rematch")
    await play_all(red, yellow, RED_WINS, first="yellow")
    await expect_status(yellow, "You win!")
    await expect_status(red, "Yellow wins!")
    for page in (red, yellow):
        await expect_board(page, RED_WINS, first="yellow")


async def test_both_players_come_back_by_a_reload(pages, site):
    red, yellow = await begin(pages, site)
    await play_all(red, yellow, [3, 3])
    for page, player in [(red, "red"), (yellow, "yellow")]:
        await page.reload()
        await expect_status(page, f"You are {player}.")
        await expect_board(page, [3, 3])
    await play_all(red, yellow, [4, 2])
    for page in (red, yellow):
        await expect_board(page, [3, 3, 4, 2])


async def test_player_who_closed_the_tab_opens_the_address_again(pages, site):
    red, yellow = await begin(pages, site)
    await play_all(red, yellow, [3, 3])
    for page, player in [(red, "red"), (yellow, "yellow")]:
        await page.close_tab()
        await page.goto(site.url)
        await expect_status(page, f"You are {player}.")
        await expect_board(page, [3, 3])
    await play_all(red, yellow, [4, 2])
    for page in (red, yellow):
        await expect_board(page, [3, 3, 4, 2])


@pytest.mark.parametrize("host", ["127.0.0.1", UNTRUSTED], ids=["secure", "plain"])
async def test_copied_link_leads_into_the_game(host, pages, site):
    red, yellow = pages
    join, _ = await start(red, site.url.replace("127.0.0.1", host))
    is_secure = host == "127.0.0.1"
    assert await red.evaluate("() => isSecureContext") == is_secure
    assert await red.evaluate("() => 'clipboard' in navigator") == is_secure
    await red.click(".copy")
    await expect_status(red, "The link is copied.")
    await expect_paste(red, join)
    await yellow.goto(join)
    await expect_status(yellow, "You are yellow.")
    await play_all(red, yellow, [3, 3])
    await expect_board(red, [3, 3])


async def test_two_play_by_keyboard(pages, site):
    red, yellow = await begin(pages, site)
    await press_in_turn(red, yellow, ["1"], ["2"])
    await reach_board(red)
    moves = [["ArrowLeft", "ArrowLeft", "ArrowLeft", "Enter"], ["2"], ["ArrowDown"]]
    await press_in_turn(red, yellow, *moves, ["2"], [" "])
    await expect_status(red, "You win!")
    await expect_status(yellow, "Red wins!")
    for page in (red, yellow):
        await expect_board(page, RED_WINS)


async def test_new_game_starts_afresh_and_back_returns(pages, site):
    red, yellow = await begin(pages, site)
    watch = await link(red, "watch")
    await play_all(red, yellow, [3, 3, 4])
    await expect_board(red, [3, 3, 4])
    await red.click(".new")
    await expect_board(red, [])
    await expect_status(red, "You move first.")
    assert await link(red, "watch") != watch
    await red.back()
    await expect_board(red, [3, 3, 4])
    await expect_status(red, "You are red.")
    assert await link(red, "watch") == watch
    await play_all(yellow, red, [4])
    await yellow.goto(watch)
    await expect_status(yellow, "You are watching.")
    await expect_board(yellow, [3, 3, 4, 4])


async def test_server_stops_and_comes_back(pages, site):
    red, yellow = await begin(pages, site)
    await play_all(red, yellow, [3])
    await site.stop()
    for page in (red, yellow):
        await expect_status(page, STOPPED)
        await expect_state(page, "stopped")
    await site.start()
    for page in (red, yellow):
        await expect_status(page, GONE)
        await expect_state(page, "gone")
    await red.click(".new")
    await expect_board(red, [])
    await expect_status(red, "You are red.")
