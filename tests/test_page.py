"""Tests of the page: that everybody can play on it, anywhere."""

import asyncio
import collections
import functools
import itertools
import math
import re

import pytest
from axe_playwright_python.async_playwright import Axe
from playwright.async_api import expect

from conftest import BROWSER, BROWSER_OPTIONS
from helpers import DRAWN, TIMEOUT, Site
from states import (
    DIAGONAL,
    STATES,
    Match,
    expect_board,
    expect_status,
    link,
    open_watching,
    play,
)

SCREENS = [
    (320, 568),
    (360, 640),
    (568, 320),
    (768, 1024),
    (1024, 768),
    (1366, 1024),
    (1920, 1080),
]
PHONE = {
    "viewport": {"width": 320, "height": 568},
    "has_touch": True,
    "is_mobile": True,
}
AXE_OPTIONS = {
    "runOnly": [
        "wcag2a",
        "wcag2aa",
        "wcag21a",
        "wcag21aa",
        "wcag22aa",
        "best-practice",
    ],
    "rules": {"target-size": {"enabled": True}},
    "resultTypes": ["violations", "incomplete"],
}


@pytest.fixture
async def match(site, open_page):
    """A match on the wire, at which a test opens pages."""
    match = Match(site, open_page)
    yield match
    await match.end()


async def open_with(open_page, script, url, **options):
    """Open a page in which a script runs before the page's own."""
    page = await open_page("about:blank", **options)
    await page.add_init_script(script)
    await page.goto(url)
    return page


def column_of(page, column):
    return page.locator(f".column[data-column='{column}']")


def cell_of(page, column, row):
    return column_of(page, column).locator(".cell").nth(row)


async def begin(match, **options):
    """Open the page of a first player, against whom a client plays."""
    red = await match.open_page(match.site.url, **options)
    await expect_status(red, "You are red.")
    await match.accept(await link(red, "join"))
    await expect_status(red, "joined")
    await expect(red.locator(".board")).to_have_css("pointer-events", "auto")
    return red


async def reply(match, page, column):
    """Play a move of the other player, and wait until the page shows it."""
    before = await page.locator(".cell:not(.empty)").count()
    await match.seats["yellow"].play(column)
    await expect(page.locator(".cell:not(.empty)")).to_have_count(before + 1)
    await expect(page.locator(".board")).not_to_have_attribute("data-player", "")


async def press(page, *keys):
    for key in keys:
        await page.keyboard.press(key)


async def focused(page):
    """Return the column that has the focus, or the class of another element."""
    return await page.evaluate(
        """() => {
            const { dataset, className } = document.activeElement;
            return dataset.column ? Number(dataset.column) : className;
        }"""
    )


async def eventually(condition):
    """Wait until a coroutine function returns what is true."""
    async with asyncio.timeout(TIMEOUT):
        while not await condition():
            pass  # it takes a screenshot, and so a while


# Colours, as in https://www.w3.org/TR/WCAG22/#dfn-relative-luminance


@functools.cache
def luminance(colour):
    linear = (
        c / 255 / 12.92 if c <= 10 else ((c / 255 + 0.055) / 1.055) ** 2.4
        for c in colour
    )
    return sum(c * w for c, w in zip(linear, (0.2126, 0.7152, 0.0722), strict=True))


def contrast(colour1, colour2):
    darker, lighter = sorted([luminance(colour1), luminance(colour2)])
    return (lighter + 0.05) / (darker + 0.05)


def lightness(colour):
    """Return the lightness L* of CIELAB, from 0 to 100."""
    y = luminance(colour)
    return 116 * y ** (1 / 3) - 16 if y > 0.008856 else 903.3 * y


def commonest(colours):
    return collections.Counter(colours).most_common(1)[0][0]


def ring(pixels, inner, outer):
    """Return the pixels between two circles, whose radii are 1 at the edges."""
    half = len(pixels) / 2
    return [
        pixel
        for y, row in enumerate(pixels)
        for x, pixel in enumerate(row)
        if inner <= math.hypot(x + 0.5 - half, y + 0.5 - half) / half < outer
    ]


def difference(pixels1, pixels2):
    """Return how much of two discs differs clearly in lightness, from 0 to 1."""
    pairs = list(zip(ring(pixels1, 0, 0.75), ring(pixels2, 0, 0.75), strict=True))
    differing = [
        pair for pair in pairs if abs(lightness(pair[0]) - lightness(pair[1])) > 25
    ]
    return len(differing) / len(pairs)


# Every state of the page


@pytest.fixture(scope="module", params=STATES, ids=lambda state: state.__name__)
async def state(request, browser):
    """A page in each state, with that state; several tests look at the same page."""
    expect.set_options(timeout=TIMEOUT * 1000)
    context = await browser.new_context(reduced_motion="reduce")

    async def open_page(url):
        page = await context.new_page()
        await page.goto(url)
        return page

    site = Site()
    await site.start()
    match = Match(site, open_page)
    page = await request.param(match)
    _, text = STATES[request.param]
    await expect(page.get_by_role("status")).to_contain_text(re.compile(text))
    yield page, request.param
    await context.close()
    await match.end()
    await site.stop()


async def test_state_has_its_look_and_its_sentence_and_no_other(state):
    page, this = state
    look, _ = STATES[this]
    await expect(page.locator(look).first).to_be_attached()
    said = await page.get_by_role("status").inner_text()
    also = {
        "opponent_away": ["your_turn"],
        "watching": ["their_turn"],
        "seen_to_end": ["watching", "lost"],
        "lost": ["seen_to_end"],
        "rematch_asked": ["won"],
        "rematch_wanted": ["won"],
    }.get(this.__name__, [])
    found = {
        state.__name__ for state, (_, text) in STATES.items() if re.search(text, said)
    }
    assert found == {this.__name__, *also}


async def test_axe_finds_nothing_to_complain_about(state):
    page, _ = state
    for scheme in ("light", "dark"):
        await page.emulate_media(color_scheme=scheme)
        found = (await Axe().run(page, options=AXE_OPTIONS)).response
        assert [
            (scheme, rule["id"], node["html"], node["failureSummary"])
            for rule in found["violations"] + found["incomplete"]
            for node in rule["nodes"]
        ] == []


async def test_all_text_contrasts_with_its_background(state):
    page, _ = state
    for scheme in ("light", "dark"):
        await page.emulate_media(color_scheme=scheme)
        texts = await page.evaluate(
            """() => {
                const canvas = document.createElement("canvas").getContext("2d");
                // Paint colours over each other, and return what is seen.
                const paint = (...colours) => {
                    canvas.clearRect(0, 0, 1, 1);
                    for (const [colour, opacity] of colours) {
                        canvas.globalAlpha = opacity;
                        canvas.fillStyle = colour;
                        canvas.fillRect(0, 0, 1, 1);
                    }
                    return Array.from(canvas.getImageData(0, 0, 1, 1).data.slice(0, 3));
                };
                const { SHOW_TEXT } = NodeFilter;
                const walker = document.createTreeWalker(document.body, SHOW_TEXT);
                const texts = [];
                while (walker.nextNode()) {
                    const parent = walker.currentNode.parentElement;
                    if (walker.currentNode.data.trim() && parent.checkVisibility()) {
                        const backgrounds = [];
                        let opacity = 1;
                        for (let e = parent; e !== null; e = e.parentElement) {
                            const style = getComputedStyle(e);
                            backgrounds.unshift([style.backgroundColor, 1]);
                            opacity *= style.opacity;
                        }
                        const ink = [getComputedStyle(parent).color, opacity];
                        texts.push([
                            walker.currentNode.data,
                            paint(...backgrounds, ink),
                            paint(...backgrounds),
                        ]);
                    }
                }
                return texts;
            }"""
        )
        assert texts
        for text, ink, paper in texts:
            assert contrast(tuple(ink), tuple(paper)) >= 4.5, (scheme, text)


async def test_page_fits_every_screen(state):
    page, _ = state
    for width, height in SCREENS:
        await page.set_viewport_size({"width": width, "height": height})
        misfits = await page.evaluate(
            """() => {
                const { scrollWidth, clientWidth } = document.documentElement;
                const misfits = scrollWidth > clientWidth ? ["scrolls sideways"] : [];
                for (const element of document.querySelectorAll("body *")) {
                    const box = element.getBoundingClientRect();
                    // The status, and the board or the invitation, are seen
                    // without scrolling.
                    const isWaiting = document.body.dataset.state === "waiting";
                    const main = isWaiting ? "main > .invitation h2" : ".board";
                    const first = element.matches(`.status, ${main}`);
                    if (
                        element.checkVisibility() &&
                        (box.left < 0 || box.right > clientWidth ||
                            (first && (box.top < 0 || box.bottom > innerHeight)))
                    ) {
                        misfits.push(`${element.className} ${JSON.stringify(box)}`);
                    }
                }
                return misfits.join(" ");
            }"""
        )
        assert misfits == "", (width, height)


async def test_targets_are_large_enough_for_thumbs(state):
    page, _ = state
    for width, height in SCREENS:
        await page.set_viewport_size({"width": width, "height": height})
        targets = await page.evaluate(
            """() => Array.from(document.querySelectorAll("a, button, summary, input"))
                .filter((element) => element.checkVisibility())
                .map((element) => {
                    const { width, height } = element.getBoundingClientRect();
                    return [element.outerHTML.slice(0, 60), width, height];
                })"""
        )
        assert targets
        small = [target for target in targets if min(target[1:]) < 44]
        assert small == [], (width, height)


# Keyboard


async def test_whole_game_by_keyboard_only(match):
    red = await begin(match)
    moves = [
        (["ArrowLeft", "ArrowLeft", "Enter"], 1),
        (["ArrowRight", "Space"], 2),
        (["ArrowRight", "ArrowDown"], 3),
        (["4"], 3),
        (["End", "ArrowLeft", "ArrowLeft", "Enter"], 4),
        (["Home", "5"], 0),
    ]
    while not isinstance(await focused(red), int):
        await press(red, "Tab")
    assert await focused(red) == 3
    for number, (keys, column) in enumerate(moves):
        await press(red, *keys)
        await expect_board(red, DIAGONAL[: 2 * number + 1])
        assert await focused(red) == column
        if number < 5:
            await reply(match, red, DIAGONAL[2 * number + 1])
            assert await focused(red) == column
    await expect_status(red, "You win")


async def test_arrows_go_around_and_tab_reaches_the_board_once(match):
    red = await begin(match)
    stops = []
    for _ in range(12):
        await press(red, "Tab")
        stops.append(await focused(red))
    rounds = stops.count("new")
    assert rounds
    assert [stop for stop in stops if isinstance(stop, int)] == [3] * (rounds + 1)
    await column_of(red, 0).focus()
    await press(red, "ArrowLeft")
    assert await focused(red) == 6
    await press(red, "ArrowRight")
    assert await focused(red) == 0
    # Having left the board, one returns to the same column.
    await press(red, "End", "Tab", "Shift+Tab")
    assert await focused(red) == 6


async def test_keys_held_down_or_with_modifiers_play_nothing(match):
    red = await begin(match)
    await column_of(red, 3).focus()
    await press(red, "Control+4", "Alt+4", "Alt+ArrowDown", "8", "0")
    await red.get_by_role("link", name="New game").focus()
    await press(red, "4")
    await column_of(red, 2).focus()
    await red.keyboard.down("ArrowDown")
    await expect_board(red, [2])
    await match.seats["yellow"].play(2)
    await expect_board(red, [2, 2])
    await red.keyboard.down("ArrowDown")
    await press(red, "1")
    await expect_board(red, [2, 2, 0])


async def test_focus_is_visible_everywhere(match, look_at):
    red = await match.open_page(match.site.url, **PHONE)
    await expect_status(red, "You are red.")
    for scheme in ("light", "dark"):
        await red.emulate_media(color_scheme=scheme)
        await red.evaluate("document.activeElement.blur()")
        seen = []
        while True:
            await press(red, "Tab")
            element = red.locator(":focus")
            if not await element.count():
                break
            name = await focused(red)
            seen.append(name)
            handle = await element.element_handle()
            after = await look_at(red, handle, margin=6)
            await handle.evaluate("element => element.blur()")
            before = await look_at(red, handle, margin=6)
            await handle.evaluate("element => element.focus()")
            # It looks clearly different by as much as an outline 1 pixel wide.
            changed = sum(
                one != other and contrast(one, other) >= 3
                for rows in zip(before, after, strict=True)
                for one, other in zip(*rows, strict=True)
            )
            box = await handle.bounding_box()
            assert changed >= 2 * (box["width"] + box["height"]), (scheme, name)
        # Those without a class are what opens a picture, and the link for spectators.
        assert seen == ["join", "copy", "", 3, "", "new", "sound"]


async def test_focus_is_not_lost_when_what_had_it_disappears(match):
    red = await match.open_page(match.site.url)
    await expect_status(red, "You are red.")
    await red.get_by_role("button", name="Copy").first.focus()
    await match.accept(await link(red, "join"))
    await expect(red.locator("a.join")).to_be_hidden()
    assert isinstance(await focused(red), int)


async def test_focus_is_not_lost_in_a_rematch(match):
    await match.begin(*DIAGONAL)
    red = await match.open("red")
    await red.get_by_role("button", name="Rematch").focus()
    await press(red, "Enter")
    await expect(red.get_by_role("button", name="Rematch")).to_be_hidden()
    before = await focused(red)
    assert isinstance(before, int)
    await match.ask_rematch("yellow")
    await expect_board(red, [])
    assert await focused(red) == before


# Touch


async def test_whole_game_by_touch_on_a_small_phone(match):
    red = await begin(match, **PHONE)
    for number, column in enumerate(DIAGONAL):
        if number % 2:
            await reply(match, red, column)
        else:
            await column_of(red, column).tap()
            await expect_board(red, DIAGONAL[: number + 1])
    await expect_status(red, "You win")
    assert await red.evaluate("[scrollX, scrollY, visualViewport.scale]") == [0, 0, 1]


async def test_fast_taps_neither_zoom_nor_select(match):
    red = await begin(match, **PHONE)
    touch_action, user_select = await column_of(red, 3).evaluate(
        """(column) => {
            const { userSelect } = getComputedStyle(column);
            for (let e = column; e !== null; e = e.parentElement) {
                const { touchAction } = getComputedStyle(e);
                if (touchAction !== "auto") return [touchAction, userSelect];
            }
            return ["auto", userSelect];
        }"""
    )
    assert touch_action in ("manipulation", "none")
    assert user_select == "none"
    await column_of(red, 3).dblclick()
    await expect_board(red, [3])
    assert await red.evaluate("String(getSelection())") == ""
    assert await red.evaluate("visualViewport.scale") == 1


async def test_board_grows_with_the_window(match):
    await match.begin(3)
    page = await match.open("red")
    sizes = []
    for width, height in [
        (320, 568),
        (768, 1024),
        (1280, 720),
        (1920, 1080),
        (3840, 2160),
    ]:
        await page.set_viewport_size({"width": width, "height": height})
        box = await page.locator(".board").bounding_box()
        sizes.append(max(box["width"] / width, box["height"] / height))
    assert min(sizes) >= 0.85


# Invitations


async def paste(page):
    """Return what is pasted into a new text field."""
    await page.evaluate(
        """() => {
            const field = document.createElement("textarea");
            document.body.append(Object.assign(field, { id: "p" }));
        }"""
    )
    await page.locator("#p").focus()
    await press(page, "Control+V")
    text = await page.locator("#p").input_value()
    await page.locator("#p").evaluate("element => element.remove()")
    return text


async def expect_copies(page):
    """Check that both links can be copied, and that the page says so."""
    await open_watching(page)
    for name in ("join", "watch"):
        box = page.locator(".link", has=page.locator(f"a.{name}"))
        await box.get_by_role("button", name="Copy").click()
        await expect(box.get_by_role("button", name="Copied")).to_be_visible()
        await expect_status(page, "copied")
        assert await paste(page) == await link(page, name)


async def test_links_are_copied(open_page, site):
    permissions = ["clipboard-read", "clipboard-write"]
    red = await open_page(permissions=permissions)
    await expect_status(red, "You are red.")
    await expect_copies(red)


async def test_links_are_copied_on_plain_http(browser, site):
    # On an address of a network that isn't localhost there is no clipboard API.
    options = [*BROWSER_OPTIONS, "--host-resolver-rules=MAP friend.test 127.0.0.1"]
    browser = await browser.browser_type.launch(executable_path=BROWSER, args=options)
    red = await browser.new_page()
    await red.goto(site.url.replace("127.0.0.1", "friend.test"))
    await expect_status(red, "You are red.")
    assert await red.evaluate("navigator.clipboard === undefined && !isSecureContext")
    assert "friend.test" in await link(red, "join")
    await expect_copies(red)
    await browser.close()


@pytest.mark.parametrize(
    "script",
    [
        "navigator.clipboard.writeText = () => Promise.reject(new Error('no'));"
        "document.execCommand = () => false",
        "Object.defineProperty(navigator, 'clipboard', { value: undefined });"
        "document.execCommand = () => false",
    ],
    ids=["clipboard", "execCommand"],
)
async def test_link_that_cannot_be_copied_is_selected(script, open_page, site):
    red = await open_with(open_page, script, site.url)
    await expect_status(red, "You are red.")
    await red.get_by_role("button", name="Copy").first.click()
    await expect_status(red, "selected")
    assert await red.evaluate("String(getSelection()).trim()") == await link(
        red, "join"
    )
    await expect(red.get_by_role("button", name="Copied")).to_have_count(0)


async def test_links_are_readable_in_full(match):
    red = await match.open_page(match.site.url)
    await expect_status(red, "You are red.")
    for name in ("join", "watch"):
        await expect(red.locator(f"a.{name}")).to_have_text(await link(red, name))


async def test_both_players_can_let_others_watch_during_the_game(match):
    await match.begin(3, 3)
    red, yellow = await match.open("red"), await match.open("yellow")
    for page in (red, yellow):
        await expect(page.locator("a.watch")).to_be_hidden()
        await open_watching(page)
        await expect(page.locator("a.watch")).to_be_visible()
        assert await link(page, "watch") == match.links["spectator"]
        await expect(page.get_by_role("button", name="Copy")).to_have_count(1)
    await expect(red.locator("a.join")).to_be_hidden()


async def test_links_are_shared_where_the_browser_can(open_page, site):
    script = """
        window.shared = [];
        navigator.share = async (sheet) => { window.shared.push(sheet.url); };
    """
    red = await open_with(open_page, script, site.url)
    await expect_status(red, "You are red.")
    await open_watching(red)
    buttons = red.get_by_role("button", name="Share")
    await expect(buttons).to_have_count(2)
    for number in range(2):
        await buttons.nth(number).click()
    links = [await link(red, name) for name in ("join", "watch")]
    assert await red.evaluate("window.shared") == links


async def test_links_are_not_offered_to_be_shared_elsewhere(open_page, site):
    script = "Object.defineProperty(navigator, 'share', { value: undefined })"
    red = await open_with(open_page, script, site.url)
    await expect_status(red, "You are red.")
    await expect(red.get_by_role("button", name="Share")).to_have_count(0)


# At a glance


async def test_next_checker_is_shown_over_a_column_that_can_be_played(match, look_at):
    await match.begin(0, 0, 0, 0, 0, 3, 1)
    yellow = await match.open("yellow")
    await expect_status(yellow, "Your turn")
    checker = commonest(ring(await look_at(yellow, cell_of(yellow, 0, 1)), 0, 0.75))

    async def shown(column):
        rows = await look_at(yellow, column_of(yellow, column))
        above = rows[: len(rows) - 6 * len(rows[0])]
        pixels = [pixel for row in above for pixel in row]
        return pixels.count(checker) > len(pixels) / 5

    assert not await shown(3)
    await column_of(yellow, 3).hover()
    await eventually(lambda: shown(3))
    assert not await shown(4)
    await yellow.mouse.move(0, 0)
    await column_of(yellow, 3).focus()
    await press(yellow, "ArrowRight")
    await eventually(lambda: shown(4))
    # The first column is full after this move, and then it's red's turn.
    await press(yellow, "Home", "Enter")
    await expect(yellow.locator("[data-state=theirs]")).to_be_attached()
    await column_of(yellow, 3).hover()
    assert not await shown(3)
    assert not await shown(0)
    await match.seats["red"].play(3)
    await expect_status(yellow, "Your turn")
    await eventually(lambda: shown(3))
    assert not await shown(0)
    await column_of(yellow, 0).hover(force=True)
    assert not await shown(0)


async def test_columns_that_cannot_be_played_look_so(match):
    await match.begin(0, 0, 0, 0, 0, 0)
    red = await match.open("red")
    await expect_status(red, "Your turn")
    cursors = "columns => columns.map((column) => getComputedStyle(column).cursor)"
    columns = red.locator(".column")
    assert await columns.evaluate_all(cursors) == ["default"] + ["pointer"] * 6
    assert (
        await columns.evaluate_all(
            "columns => columns.map((column) => column.ariaDisabled)"
        )
        == ["true"] + ["false"] * 6
    )
    await column_of(red, 3).click()
    await expect_status(red, "Yellow's turn")
    assert await columns.evaluate_all(cursors) == ["default"] * 7


async def test_one_sees_without_reading_whose_turn_it_is_and_who_one_is(match):
    red = await begin(match)
    await expect(red.locator(".player.turn")).to_have_class(re.compile("red.*you"))
    await expect(red.locator(".board")).to_have_attribute("data-player", "red")
    await play(red, 3)
    await expect(red.locator(".player.turn")).to_have_class(re.compile("yellow"))
    await expect(red.locator(".board")).to_have_attribute("data-player", "")
    await expect(red.locator(".player.you")).to_have_class(re.compile("red"))


async def test_last_checker_is_marked(match, look_at):
    await match.begin(3, 3, 4)
    page = await match.open("spectator")
    await expect(page.locator(".last")).to_have_count(1)
    await expect(cell_of(page, 4, 0)).to_have_class(re.compile(r"\blast\b"))
    last = await look_at(page, cell_of(page, 4, 0))
    other = await look_at(page, cell_of(page, 3, 0))
    pairs = zip(ring(last, 0, 1), ring(other, 0, 1), strict=False)
    changed = sum(contrast(*pair) >= 3 for pair in pairs)
    assert changed > len(last)
    await match.play(4)
    await expect(page.locator(".last")).to_have_count(1)
    await expect(cell_of(page, 4, 1)).to_have_class(re.compile(r"\blast\b"))


@pytest.mark.parametrize(
    ("moves", "line"),
    [
        (DIAGONAL, {(1, 0), (2, 1), (3, 2), (4, 3)}),
        ([0, 1, 0, 1, 0, 1, 0], {(0, 0), (0, 1), (0, 2), (0, 3)}),
        # Five in a row.
        ([0, 0, 1, 1, 3, 3, 4, 4, 2], {(0, 0), (1, 0), (2, 0), (3, 0), (4, 0)}),
        (
            [3, 2, 4, 3, 6, 5, 2, 3, 6, 1, 2, 4, 1, 2],
            {(2, 3), (3, 2), (4, 1), (5, 0)},
        ),
        (
            [4, 3, 2, 4, 1, 2, 4, 4, 6, 0, 3, 4, 1, 4, 1, 6, 2, 2, 1],
            {(1, 0), (1, 1), (1, 2), (1, 3), (2, 2), (3, 1), (4, 0)},
        ),
        (DRAWN, set()),
    ],
    ids=["up", "column", "five", "down", "two lines", "draw"],
)
async def test_winning_checkers_are_highlighted(moves, line, match):
    await match.begin(*moves)
    page = await match.open("spectator")
    state = "over" if line else "drawn"
    await expect(page.locator(f"[data-state={state}]")).to_be_attached()
    cells = await page.locator(".cell").evaluate_all(
        """(cells) => cells
            .map((cell, number) => [cell, [Math.floor(number / 6), number % 6]])
            .filter(([cell]) => cell.classList.contains("line"))
            .map(([_, place]) => place)"""
    )
    assert {tuple(cell) for cell in cells} == line


async def test_highlight_can_be_seen(match, look_at):
    await match.begin(*DIAGONAL)
    page = await match.open("spectator")
    await page.emulate_media(reduced_motion="reduce")
    for scheme in ("light", "dark"):
        await page.emulate_media(color_scheme=scheme)
        highlighted = await look_at(page, cell_of(page, 2, 1))
        other = await look_at(page, cell_of(page, 3, 1))
        pairs = list(zip(ring(highlighted, 0, 1), ring(other, 0, 1), strict=False))
        assert sum(contrast(*pair) >= 1.5 for pair in pairs) > len(pairs) / 6


async def test_checker_falls_unless_motion_is_reduced(match):
    script = """
        window.animations = [];
        for (const type of ["animationstart", "transitionrun"]) {
            document.addEventListener(type, ({ animationName, propertyName }) => {
                window.animations.push(animationName ?? propertyName);
            });
        }
    """
    match.open_page = functools.partial(open_with, match.open_page, script)
    match.options = {"reduced_motion": "no-preference"}
    await match.begin(*DIAGONAL[:-1])
    red = await match.open("red")
    match.options = {"reduced_motion": "reduce"}
    spectator = await match.open("spectator")
    await column_of(red, DIAGONAL[-1]).click()
    await red.evaluate(
        """() => new Promise((resolve) => {
            const look = () => window.animations.includes("fall")
                ? resolve()
                : requestAnimationFrame(look);
            look();
        })"""
    )
    await expect_board(spectator, DIAGONAL)
    await spectator.locator(".cell.line").first.wait_for()
    still = {"arrive", "opacity", "color", "background-color", "border-color"}
    assert set(await spectator.evaluate("window.animations")) <= still
    moving = """document.getAnimations()
        .map(({ animationName }) => animationName)
        .filter((name) => name !== undefined && name !== "arrive")"""
    assert await spectator.evaluate(moving) == []


# Screen readers

LISTEN = """
    window.announcements = [];
    new MutationObserver((records) => {
        for (const { target, addedNodes } of records) {
            const isText = target.nodeType === Node.TEXT_NODE;
            const element = isText ? target.parentElement : target;
            const region = element?.closest?.("[role=status], [aria-live]");
            if (!region) continue;
            const nodes = isText ? [target] : Array.from(addedNodes);
            // What changed is read, or all of it.
            const text = region.getAttribute("aria-atomic") === "false"
                ? nodes.map((node) => node.textContent).join(" ")
                : region.textContent;
            if (text.trim() !== "") {
                window.announcements.push(text.trim());
            }
        }
    }).observe(document, { childList: true, characterData: true, subtree: true });
"""


async def hear(page, forget=False):
    """Return what a screen reader has said, in one string."""
    said = await page.evaluate("window.announcements.join(' ')")
    if forget:
        await page.evaluate("window.announcements = []")
    return said


def told(moves, you=None):
    """Return who played where, as it is told to a player or a spectator."""
    players = ["You" if player == you else player for player in ("Red", "Yellow")]
    return [
        (player, str(column + 1))
        for player, column in zip(itertools.cycle(players), moves, strict=False)
    ]


PLAYED = r"(You|Red|Yellow) played column (\d)"


async def test_columns_have_names_that_say_what_they_hold(match):
    await match.begin(0, 0, 0, 0, 0, 0, 3, 3)
    page = await match.open("spectator")
    board = page.get_by_role("toolbar")
    full = "Column 1: red, yellow, red, yellow, red, yellow, full"
    names = [full, "Column 2: 6 free", "Column 4: red, yellow, 4 free"]
    for name in names:
        await expect(board.get_by_role("button", name=name, exact=True)).to_have_count(
            1
        )
    await expect(board.get_by_role("button")).to_have_count(7)
    await match.play(3)
    await expect(
        board.get_by_role("button", name="Column 4: red, yellow, red, 3 free")
    ).to_be_visible()


async def test_moves_and_results_are_announced_once_and_in_order(match):
    match.open_page = functools.partial(open_with, match.open_page, LISTEN)
    await match.begin()
    red = await match.open("red")
    yellow = await match.open("yellow")
    spectator = await match.open("spectator")
    for number, column in enumerate(DIAGONAL):
        await play(yellow if number % 2 else red, column)
    for page, you in [(red, "Red"), (yellow, "Yellow"), (spectator, None)]:
        await expect_status(page, "win")
        said = await hear(page)
        assert re.findall(PLAYED, said) == told(DIAGONAL, you), said
        result = "You win" if you == "Red" else "Red wins"
        assert re.findall(r"\w+ wins?\b", said) == [result], said
        # Whose turn it is, is said after each move but the last.
        assert len(re.findall(r"turn\b", said.partition("played")[2])) == 10, said


async def test_draw_is_announced_once(match):
    match.open_page = functools.partial(open_with, match.open_page, LISTEN)
    await match.begin(*DRAWN[:-1])
    yellow = await match.open("yellow")
    await hear(yellow, forget=True)
    await play(yellow, DRAWN[-1])
    await expect_status(yellow, "draw")
    said = await hear(yellow)
    assert said.count("draw") == 1
    assert "turn" not in said


async def test_old_news_is_not_announced_again_with_what_is_new(match):
    match.open_page = functools.partial(open_with, match.open_page, LISTEN)
    await match.begin(*DIAGONAL[:-1])
    red = await match.open("red")
    await hear(red, forget=True)
    await match.leave("yellow")
    await expect_status(red, "left")
    yellow = await match.open("yellow")
    await expect_status(red, "Yellow is back")
    spectator = await match.open("spectator")
    await expect(red.locator(".spectators")).not_to_be_empty()
    await spectator.close()
    await expect(red.locator(".spectators")).to_be_empty()
    said = await hear(red, forget=True)
    assert "left" in said
    assert re.findall(PLAYED, said) == []
    await play(red, DIAGONAL[-1])
    await expect_status(red, "You win")
    await hear(red, forget=True)
    await yellow.get_by_role("button", name="Rematch").click()
    await expect_status(red, "Yellow wants a rematch")
    await yellow.close()
    await expect_status(red, "left")
    said = await hear(red)
    assert re.findall(PLAYED, said) == []
    assert "win" not in said


async def test_history_is_not_announced_again_on_coming_back(match):
    match.open_page = functools.partial(open_with, match.open_page, LISTEN)
    await match.begin(*DIAGONAL[:6])
    for who in ("red", "spectator"):
        page = await match.open(who)
        assert len(re.findall(PLAYED, await hear(page))) <= 1
        await page.reload()
        await expect_board(page, DIAGONAL[:6])
        await expect(page.locator(".news")).not_to_be_empty()
        assert len(re.findall(PLAYED, await hear(page, forget=True))) <= 1
        match.cut()
        await page.wait_for_function(
            "() => window.announcements.some((each) => /lost/.test(each))"
        )
        await expect(page.locator("body")).to_have_attribute(
            "data-state", re.compile("ours|away|watching")
        )
        assert len(re.findall(PLAYED, await hear(page))) <= 1
        await page.close()


async def test_status_is_polite_and_there_is_only_one(match):
    page = await match.open_page(match.site.url)
    await expect(page.get_by_role("status")).to_have_count(1)
    await expect(page.locator("[aria-live=assertive], [role=alert]")).to_have_count(0)


# Without colour


@pytest.mark.parametrize(
    "media",
    [
        {"color_scheme": "light"},
        {"color_scheme": "dark"},
        {"forced_colors": "active", "color_scheme": "light"},
        {"forced_colors": "active", "color_scheme": "dark"},
        {"media": "print"},
    ],
    ids=["light", "dark", "forced-light", "forced-dark", "print"],
)
async def test_checkers_differ_in_lightness_and_shape(media, match, look_at):
    await match.begin(3, 3, 4)
    page = await match.open("spectator")
    await page.emulate_media(**media)
    red, yellow, empty = [
        await look_at(page, cell_of(page, *cell)) for cell in [(3, 0), (3, 1), (0, 0)]
    ]
    for one, other in itertools.combinations([red, yellow, empty], 2):
        assert difference(one, other) >= 0.1
    shapes = []
    for checker in (red, yellow):
        fill = commonest(ring(checker, 0, 0.75))
        inside = ring(checker, 0, 0.6)
        shapes.append([contrast(pixel, fill) >= 3 for pixel in inside])
        # There is a shape on it...
        assert 0.05 < sum(shapes[-1]) / len(inside) < 0.95
        # ...and all around, its fill or its edge contrasts with the board.
        face = commonest(ring(checker, 0.95, 1.5))
        half = len(checker) / 2
        for degrees in range(0, 360, 5):
            x, y = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
            ray = [
                checker[int(half + y * r / 100 * half)][int(half + x * r / 100 * half)]
                for r in range(60, 96)
            ]
            assert max(contrast(pixel, face) for pixel in ray) >= 3, degrees
    differing = sum(one != other for one, other in zip(*shapes, strict=True))
    assert differing / len(shapes[0]) > 0.1


async def test_red_and_yellow_differ_clearly_in_lightness(match, look_at):
    await match.begin(3, 3, 4)
    page = await match.open("spectator")
    for scheme in ("light", "dark"):
        await page.emulate_media(color_scheme=scheme)
        red, yellow = [
            commonest(ring(await look_at(page, cell_of(page, 3, row)), 0, 0.75))
            for row in (0, 1)
        ]
        assert lightness(yellow) - lightness(red) >= 25


async def test_board_and_result_can_be_printed(match):
    await match.begin(*DIAGONAL)
    page = await match.open("red")
    await page.emulate_media(media="print")
    await expect(page.locator(".board")).to_be_visible()
    await expect(page.get_by_role("status")).to_be_visible()
    await expect(page.locator(".actions")).to_be_hidden()
    # Browsers leave out backgrounds, of which checkers consist, unless told so.
    assert await page.evaluate(
        """() => ["::before", "::after", null].every((pseudo) =>
            Array.from(document.querySelectorAll(".board, .cell"))
                .map((element) => getComputedStyle(element, pseudo))
                .every(({ printColorAdjust }) => printColorAdjust === "exact"))"""
    )


# The invitation, and the score


async def test_invitation_is_what_one_sees_first_and_has_the_place_of_the_board(match):
    for width, height in SCREENS:
        size = {"width": width, "height": height}
        red = await match.open_page(match.site.url, viewport=size)
        await expect_status(red, "You move first.")
        invitation = await red.locator(".invitation").bounding_box()
        board = await red.locator(".board").bounding_box()
        assert (invitation["y"], invitation["x"]) < (board["y"], board["x"])
        code = red.locator(".join .key")
        size = await code.evaluate("e => parseFloat(getComputedStyle(e).fontSize)")
        assert size >= 40
        assert (await code.bounding_box())["height"] < 2 * size  # in one line
        await match.accept(await link(red, "join"))
        await expect(red.locator(".invitation")).to_be_hidden()
        await match.end()
        await red.close()


async def test_click_that_was_meant_for_the_invitation_is_no_move(match):
    size = {"width": 1280, "height": 720}
    red = await match.open_page(match.site.url, viewport=size)
    await expect_status(red, "You move first.")
    box = await red.get_by_role("button", name="Copy").bounding_box()
    await red.mouse.move(box["x"] + 9, box["y"] + 9)
    await match.accept(await link(red, "join"))
    await red.locator(".invitation").wait_for(state="hidden")
    await red.mouse.down()
    await red.mouse.up()
    await expect(red.locator(".board")).to_have_css("pointer-events", "auto")
    await expect(red.locator(".cell:not(.empty)")).to_have_count(0)
    await red.mouse.down()
    await red.mouse.up()
    await expect(red.locator(".cell:not(.empty)")).to_have_count(1)


async def test_score_stands_beside_the_names_from_the_first_win_on(match):
    await match.begin(*DIAGONAL[:-1])
    page = await match.open("spectator")
    await expect(page.locator(".player .wins")).to_have_text(["", ""])
    await match.play(DIAGONAL[-1])
    await expect(page.locator(".player .wins")).to_have_text(["1 win", "0 wins"])
    await expect(page.locator(".player.red")).to_contain_text("Red")
    for player in ("red", "yellow"):
        await match.ask_rematch(player)
    await expect_board(page, [])
    await page.reload()
    await expect(page.locator(".player .wins")).to_have_text(["1 win", "0 wins"])


async def test_score_stands_under_the_names_on_every_screen(match):
    await match.begin(*DIAGONAL)
    page = await match.open("red")
    for number in range(2):  # when the game is over, and in the rematch
        for width, height in SCREENS:
            await page.set_viewport_size({"width": width, "height": height})
            for player in ("red", "yellow"):
                card = page.locator(f".player.{player}")
                boxes = [
                    await card.locator(part).bounding_box()
                    for part in (".checker", ".name", ".wins")
                ]
                checker, name, wins = boxes
                assert checker["x"] + checker["width"] <= name["x"] == wins["x"]
                assert name["y"] + name["height"] <= wins["y"] + 1
                width_of_card = (await card.bounding_box())["width"]
                assert name["width"] > 20 < wins["width"] < width_of_card
        if number == 0:
            await match.ask_rematch("yellow")
            await page.get_by_role("button", name="Rematch").click()
            await expect_board(page, [])


async def test_rematch_is_the_first_thing_under_the_result(match):
    for width, height in SCREENS:
        await match.begin(*DIAGONAL)
        match.moves = []
        options = {"viewport": {"width": width, "height": height}}
        match.options = options
        red = await match.open("red")
        result = await red.locator(".status").bounding_box()
        rematch = await red.get_by_role("button", name="Rematch").bounding_box()
        gap = rematch["y"] - (result["y"] + result["height"])
        assert 0 <= gap <= 16, (width, height)
        await match.end()


async def test_files_of_the_page_are_fetched_together(open_page, site):
    page = await open_page("about:blank")
    requests = []
    page.on("request", lambda request: requests.append(request))
    await page.goto(site.url)
    await expect_status(page, "You are red.")
    names = {request.url.removeprefix(site.url) for request in requests}
    modules = {name for name in names if name.endswith(".js")}
    preloaded = await page.evaluate(
        """async (url) => {
            const html = await (await fetch(url)).text();
            const names = html.matchAll(/(?:href|src)="([^"]*[.]js)"/g);
            return Array.from(names, ([_, name]) => name);
        }""",
        site.url,
    )
    assert modules == set(preloaded)
