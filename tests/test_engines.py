"""
Tests of the page in other engines than Chromium's: Firefox, and WebKit as in Safari.

What is tested here is what engines may do differently: to remember, to go back, to
copy, to handle keys, to move. All else is tested in Chromium.

"""

import asyncio
import os

import pytest

from helpers import KEYS, RED_WINS
from states import STOPPED

pytestmark = [
    pytest.mark.slow,
    # Those who drive the browsers leave sockets open, and call what is deprecated.
    pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::ResourceWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]

# An address of this machine that browsers don't trust as they trust localhost, so
# that what they grant to secure pages only is missing, as on another machine. It's
# IPv4's in the clothes of IPv6.
UNTRUSTED = "[::ffff:127.0.0.1]"

# The colours on the board, by columns from the left and from the bottom.
BOARD = """(board) => {
    const colours = Array.from(document.querySelectorAll(".column"), (column) =>
        Array.from(column.querySelectorAll(".cell"), ({ classList }) =>
            ["red", "yellow"].find((colour) => classList.contains(colour)) ?? "empty"));
    return JSON.stringify(colours) === JSON.stringify(board);
}"""

# Whether it's our turn, and one can touch the board, which isn't so for a moment.
READY = """() => {
    const { pointerEvents } = getComputedStyle(document.querySelector(".board"));
    return document.body.dataset.phase === "turn" && pointerEvents !== "none";
}"""


@pytest.fixture(scope="session", params=["firefox", "webkit"])
def browsers(request):
    """Two browsers with one engine, and nothing else in common."""
    import webdriver

    if packages := webdriver.missing(request.param):
        advice = f"no {request.param}: on Debian, apt install {' '.join(packages)}"
        if os.environ.get("CI"):
            pytest.fail(advice)
        pytest.skip(advice)
    with webdriver.open_page(request.param) as red:
        with webdriver.open_page(request.param) as yellow:
            yield red, yellow


@pytest.fixture
async def pages(browsers, site):
    """The pages of two people, who haven't opened anything yet."""
    yield browsers
    # A page that is left open would look for the site of the next test.
    await asyncio.gather(*(page.goto("about:blank") for page in browsers))


# What people do with a page, and see there


async def start(page, url):
    """Open the page of a first player; return the link to play."""
    await page.goto(url)
    await expect_status(page, "You are red.")
    url = await link(page)
    KEYS.add(url[-6:])
    return url


async def begin(pages, site):
    """Open the pages of both players of a new game."""
    red, yellow = pages
    join = await start(red, site.url)
    await yellow.goto(join)
    await expect_status(yellow, "You are yellow.")
    return red, yellow, join


async def link(page):
    return await page.evaluate("() => document.querySelector('.invitation a').href")


async def play_all(red, yellow, columns):
    """Click columns in turn, as soon as it's each player's."""
    for number, column in enumerate(columns):
        page = yellow if number % 2 else red
        await page.until(READY)
        await page.click(f".column[data-column='{column}']")


async def press(page, name):
    """Press the main button, by its name."""
    await page.until(
        """(name) => {
            const button = document.querySelector(".act:not([hidden])");
            return button?.textContent.trim() === name;
        }""",
        name,
    )
    await page.click(".act")


async def expect_status(page, text):
    """Wait until a screen reader is told so."""
    await page.until(
        "(text) => document.querySelector('.status')?.textContent.includes(text)", text
    )


async def expect_sentence(page, text):
    """Wait until one sees this sentence."""
    await page.until(
        "(text) => document.querySelector('.sentence')?.textContent === text", text
    )


async def expect_board(page, columns, first="red"):
    """Wait until the board shows just the moves in these columns."""
    colours = ["red", "yellow"] if first == "red" else ["yellow", "red"]
    board = [["empty"] * 6 for _ in range(7)]
    for number, column in enumerate(columns):
        board[column][board[column].index("empty")] = colours[number % 2]
    await page.until(BOARD, board)


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


# What they do in a game


async def test_two_play_a_whole_game_and_a_rematch(pages, site):
    red, yellow, _ = await begin(pages, site)
    await play_all(red, yellow, RED_WINS)
    await expect_status(red, "You win: column 1, rows 1 to 4.")
    await expect_status(yellow, "Red wins: column 1, rows 1 to 4.")
    for page in (red, yellow):
        await expect_sentence(page, "Four in a row!")
        await expect_board(page, RED_WINS)
    await press(red, "Play again")
    await expect_sentence(yellow, "Red wants to play again.")
    await press(yellow, "Play again")
    await play_all(yellow, red, RED_WINS)
    await expect_status(yellow, "You win")
    for page in (red, yellow):
        await expect_board(page, RED_WINS, first="yellow")


async def test_both_players_come_back_by_a_reload(pages, site):
    red, yellow, _ = await begin(pages, site)
    await play_all(red, yellow, [3, 3])
    for page, player in [(red, "red"), (yellow, "yellow")]:
        await page.reload()
        await expect_status(page, f"You are {player}.")
        await expect_board(page, [3, 3])
    await play_all(red, yellow, [4, 2])
    for page in (red, yellow):
        await expect_board(page, [3, 3, 4, 2])


async def test_player_who_closed_the_tab_opens_the_plain_address(pages, site):
    red, yellow, _ = await begin(pages, site)
    await play_all(red, yellow, [3, 3])
    for page, player in [(red, "red"), (yellow, "yellow")]:
        await page.close_tab()
        await page.goto(site.url)
        await expect_status(page, f"You are {player}.")
        await expect_board(page, [3, 3])
    await play_all(red, yellow, [4, 2])


@pytest.mark.parametrize("host", ["127.0.0.1", UNTRUSTED], ids=["secure", "plain"])
async def test_copied_link_has_the_code_that_leads_into_the_game(host, pages, site):
    red, yellow = pages
    join = await start(red, site.url.replace("127.0.0.1", host))
    is_secure = host == "127.0.0.1"
    assert await red.evaluate("() => isSecureContext") == is_secure
    assert await red.evaluate("() => 'clipboard' in navigator") == is_secure
    await red.click(".copy")
    await expect_status(red, "The link is copied.")
    await expect_paste(red, join)
    await yellow.goto(site.url + join[-6:].upper())
    await expect_status(yellow, "You are yellow.")
    await play_all(red, yellow, [3, 3])
    await expect_board(red, [3, 3])


async def test_two_play_by_keyboard(pages, site):
    red, yellow, _ = await begin(pages, site)
    moves = ["1"], ["2"], ["ArrowLeft", "ArrowLeft", "ArrowLeft", "Enter"]
    moves += ["ArrowLeft", "ArrowLeft", "ArrowDown"], [" "], ["2"], ["1"]
    for number, keys in enumerate(moves):
        page = yellow if number % 2 else red
        await page.until(READY)
        await page.press(*keys)
    await expect_status(red, "You win")
    for page in (red, yellow):
        await expect_board(page, RED_WINS)


async def test_loser_makes_room_and_somebody_plays_the_winner(pages, site):
    red, yellow, _ = await begin(pages, site)
    await play_all(red, yellow, RED_WINS)
    await expect_sentence(yellow, "Four in a row!")
    await yellow.click(".quiet .room")
    await expect_status(yellow, "You are watching.")
    await expect_sentence(red, "Yellow’s seat is free.")
    await press(yellow, "Play")
    await expect_status(yellow, "You are yellow.")
    await play_all(yellow, red, [3, 3])
    for page in (red, yellow):
        await expect_board(page, [3, 3], first="yellow")


async def test_new_game_starts_afresh_and_back_returns(pages, site):
    red, yellow, join = await begin(pages, site)
    await play_all(red, yellow, [3, 3, 4])
    await expect_board(red, [3, 3, 4])
    await red.click(".new")
    await expect_status(red, "Waiting for somebody")
    assert await link(red) != join
    await red.back()
    await expect_board(red, [3, 3, 4])
    assert await link(red) == join
    await play_all(yellow, red, [4, 2])
    await expect_board(yellow, [3, 3, 4, 4, 2])


async def test_server_stops_and_comes_back(pages, site):
    red, yellow, _ = await begin(pages, site)
    await play_all(red, yellow, [3])
    await site.stop()
    for page in (red, yellow):
        await expect_sentence(page, STOPPED)
    await site.start()
    await play_all(yellow, red, [3])
    for page in (red, yellow):
        await expect_board(page, [3, 3])
