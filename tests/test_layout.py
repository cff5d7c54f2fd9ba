"""The look of the page by numbers, in all its states, without a server."""

import itertools
import re

import pytest
from axe_playwright_python.async_playwright import Axe
from PIL import ImageChops

from helpers import HERE
from people import look_at
from stories import STATES, WON, tell

# Screens where nothing scrolls: those of every run, and the others.
CORE = "320x568 390x844 844x390 1366x768"
OTHERS = """
    360x640 412x915 667x375 768x1024 820x1180 1024x768 1024x500 1280x720 1366x625
    1920x1080 2560x1440
"""
# Here one has to scroll, and with larger fonts, but never sideways.
SMALL = "341x192 320x256 480x320 568x320"

# What is wrong with what one sees; and where the board is, and the button.
LOOK = """(mayScroll) => {
    const problems = [], lines = [], places = [];
    const isSeen = (part) =>
        part.closest(".said, .status, .rain, svg *") === null
        && part.checkVisibility({ visibilityProperty: true })
        && part.closest("h1, .watchers")?.clientWidth !== 1;
    const isCut = ({ left, top, right, bottom }) =>
        left < -1 || right > innerWidth + 1
        || (!mayScroll && (top < -1 || bottom > innerHeight + 1));
    for (const part of [...document.querySelectorAll("body *")].filter(isSeen)) {
        const name = part.getAttribute("class");
        const box = part.getBoundingClientRect();
        if (isCut(box)) {
            problems.push([name, "is cut"]);
        }
        const isSmall = Math.min(box.width, box.height) < 43.9;
        if (isSmall && part.matches("button:not(.column, .field *), a.new, a.play")) {
            problems.push([name, "is too small for a finger"]);
        }
        if (part.matches(".board, .act")) {
            places.push([name, box.left, box.top].map(Math.round).join(" "));
        }
        for (const text of part.childNodes) {
            if (text.nodeType !== Node.TEXT_NODE || text.data.trim() === "") {
                continue;
            }
            const range = new Range();
            range.selectNode(text);
            // Letters are lower than the lines that fonts want for them.
            for (const { left, right, top, bottom, height } of range.getClientRects()) {
                const line = { top: top + height / 5, bottom: bottom - height / 5 };
                lines.push({ text, left, right, ...line });
                if (name === "score" && right > box.right + 1) {
                    problems.push([name, "is hidden"]);
                }
            }
        }
    }
    for (const [number, a] of lines.entries()) {
        for (const b of lines.slice(number + 1)) {
            const width = Math.min(a.right, b.right) - Math.max(a.left, b.left);
            const height = Math.min(a.bottom, b.bottom) - Math.max(a.top, b.top);
            if (a.text !== b.text && width > 2 && height > 4) {
                problems.push([a.text.data, "is over", b.text.data]);
            }
        }
    }
    const { scrollWidth, scrollHeight } = document.documentElement;
    if (scrollWidth > innerWidth || (!mayScroll && scrollHeight > innerHeight)) {
        problems.push(["page", "scrolls", scrollWidth, scrollHeight]);
    }
    return [problems, places];
}"""


@pytest.mark.parametrize(
    ("screens", "font"),
    [
        (CORE, 16),
        (CORE, 32),
        pytest.param(CORE, 24, marks=pytest.mark.slow),
        pytest.param(OTHERS + SMALL, 16, marks=pytest.mark.slow),
    ],
)
async def test_nothing_scrolls_is_cut_or_moves(stage, screens, font):
    page = await stage()
    session = await page.context.new_cdp_session(page)
    sizes = {"standard": font, "fixed": font}
    await session.send("Page.setFontSizes", {"fontSizes": sizes})
    for screen in screens.split():
        width, height = map(int, screen.split("x"))
        await page.set_viewport_size({"width": width, "height": height})
        may_scroll, all_places = font > 16 or screen in SMALL, set()
        for state, story in STATES.items():
            await tell(page, story)
            problems, places = await page.evaluate(LOOK, may_scroll)
            assert problems == [], (screen, state)
            all_places.update(places)
        assert may_scroll or len(all_places) == 2, (screen, all_places)


async def test_wall_can_be_read_from_afar(stage):
    page = await stage(1920, 1080)
    await tell(page, STATES["watching"])
    sizes = {".name": 44, ".score": 60, ".sentence": 64, ".invitation .code": 80}
    for selector, size in sizes.items():
        style = "element => getComputedStyle(element).fontSize"
        assert await page.locator(selector).first.evaluate(style) == f"{size}px"


async def test_what_one_sees_is_read_to_somebody_once(modules):
    await tell(modules, STATES["your turn"])
    read = await modules.locator("body").aria_snapshot()
    for text in ("Your turn", "Red, you, 0 wins, to move", "Yellow, 0 wins", "24"):
        assert read.count(text) == 1, read


@pytest.mark.slow
async def test_axe_finds_nothing(stage):
    page = await stage()
    for name, story in STATES.items():
        await tell(page, story)
        results = await Axe().run(page)
        assert results.response["violations"] == [], (name, results.generate_report())


# Which colours stand on which others, from which they must differ by 4.5 and 3 (WCAG
# 1.4.3, 1.4.11). Large words, and the words of keys, are bold and large.
TEXT = {
    "ink": "wall-up wall wall-down table table-down", "faint": "wall-up wall-down",
    "on-red": "red", "on-yellow": "yellow", "on-key": "key",
    "paper-ink": "paper", "paper-faint": "paper", "code-ink": "paper",
}  # fmt: skip
PARTS = {
    "face-1": "wall-up wall", "face-2": "wall", "face-3": "wall-down",
    "yellow": "face-1 face-2 face-3", "mark": "face-1 face-2 face-3",
    "red-line": "wall-up", "yellow-line": "wall-up",
    "red-shape": "red", "yellow-shape": "yellow",
    "red-shape-rest": "red-rest", "yellow-shape-rest": "yellow-rest",
}  # fmt: skip


def luminance(rgb):
    # In what is almost black, the definition differs by too little to matter.
    red, green, blue = (((part / 255 + 0.055) / 1.055) ** 2.4 for part in rgb)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_words_and_parts_stand_out(theme):
    style = (HERE / "connect4.css").read_text()
    day, night, *_ = re.findall(r":root \{\n(.*?)\n\s*\}", style, re.DOTALL)
    found = re.findall(r"--([\w-]+): #(\w{6});", day + night * (theme == "dark"))
    colours = {name: bytes.fromhex(rgb) for name, rgb in found}
    # When the game is over, what isn't of the four lies in the shade.
    *shade, depth = map(float, re.findall(r"[\d.]+", day.partition("--rest:")[2])[:4])
    for name, rgb in [*colours.items()]:
        pairs = zip(rgb, shade, strict=True)
        mixed = [part * (1 - depth) + dark * depth for part, dark in pairs]
        colours[f"{name}-rest"] = mixed
    for table, least in [(TEXT, 4.5), (PARTS, 3)]:
        for name, grounds in table.items():
            for ground in grounds.split():
                low, high = sorted(luminance(colours[each]) for each in (name, ground))
                assert (high + 0.05) / (low + 0.05) >= least, (name, ground)


async def test_forced_colours_leave_all_to_be_told_apart(stage):
    page = await stage(forced_colors="active")
    cells, plates = [], []
    for story, places in [
        ("red RY 334", [(6, 5), (4, 0)]),  # a hole, and the last checker
        ("red RY 3342", [(3, 2), (3, 0), (3, 1)]),  # where it would land, and both
        (f"red RY {WON} wins", [(4, 3), (3, 1), (0, 0)]),  # one of the four, and others
    ]:
        await tell(page, story)
        for column, row in places:
            all_cells = page.locator(f".column[data-column='{column}'] > .cell")
            cells.append(await look_at(all_cells.nth(row)))
    for a, b in itertools.combinations(cells, 2):
        difference = ImageChops.difference(a, b).histogram()
        assert sum(difference[51:]) > 0.07 * sum(difference)
    for state, player in itertools.product(["your turn", "won"], ["red", "yellow"]):
        await tell(page, STATES[state])
        plate = await look_at(page.locator(f".plate.{player}"))
        # In the middle of the lower edge, only turn and winner tell them apart.
        plates.append(plate.getpixel((plate.width // 2, plate.height - 7)))
    assert plates[0] == plates[2] != plates[1] == plates[3]


def test_only_what_costs_nothing_moves():
    style = (HERE / "connect4.css").read_text()
    used = set(re.findall(r"transition: ([\w-]+)", style))
    for name, block in re.findall(r"@keyframes (\w+) \{(.*?)\n\}", style, re.DOTALL):
        if name not in ("arrive", "late"):
            used |= {*re.findall(r"([\w-]+):", block)}
    assert used <= {"transform", "opacity", "animation-timing-function"}
