"""The look of the page by numbers, in all its states, without a server."""

import itertools
import re

import pytest
from axe_playwright_python.async_playwright import Axe

from helpers import HERE
from stories import STATES, WON, tell

SCREENS = [
    (320, 568), (360, 640), (390, 844), (412, 915), (844, 390), (667, 375),
    (768, 1024), (820, 1180), (1024, 768), (1024, 500), (1280, 720), (1366, 625),
    (1366, 768), (1920, 1080), (2560, 1440),
]  # fmt: skip

# Here one has to scroll, and with larger fonts, but never sideways.
SMALL = [(341, 192), (320, 256), (480, 320), (568, 320)]

# What isn't for the slow part only
CORE = [(320, 568), (390, 844), (844, 390), (1366, 768)]

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

# What is seen, as [name, left, top, right, bottom]: boxes, and lines of text.
BOXES = """() => {
    const isSeen = (element) =>
        element.checkVisibility({ visibilityProperty: true })
        && element.closest(".said, .status") === null
        && element.closest("h1, .watchers")?.clientWidth !== 1;
    const box = (name, { left, top, right, bottom }) =>
        [name, ...[left, top, right, bottom].map(Math.round)];
    const parts = "h1, .watchers, .sound, .plate, .board, .sentence, .act, .review, "
        + ".quiet > *, .lobby > *, .invitation, .invitation > *, .sign";
    const boxes = [...document.querySelectorAll(parts)].filter(isSeen)
        .map((part) => box(part.getAttribute("class"), part.getBoundingClientRect()));
    const texts = [], hidden = [];
    const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
    while (walker.nextNode()) {
        const { data, parentElement } = walker.currentNode;
        if (data.trim() !== "" && isSeen(parentElement)) {
            const range = new Range();
            range.selectNodeContents(walker.currentNode);
            const all = range.getBoundingClientRect();
            const score = parentElement.closest(".score") ?? document.body;
            const { left, right } = score.getBoundingClientRect();
            if (all.left < left - 1 || all.right > right + 1) {
                hidden.push(data.trim());
            }
            // Letters are lower than the lines that fonts want for them.
            for (const { left, top, right, bottom, height } of range.getClientRects()) {
                const inner = { top: top + height / 5, bottom: bottom - height / 5 };
                texts.push(box(data.trim(), { left, right, ...inner }));
            }
        }
    }
    const { scrollWidth, scrollHeight } = document.documentElement;
    return { boxes, texts, hidden, size: [scrollWidth, scrollHeight] };
}"""


async def find_problems(page, width, height, font):
    """Yield what is wrong with the states of the page on a screen."""
    places = set()
    may_scroll = font > 16 or (width, height) in SMALL
    await page.set_viewport_size({"width": width, "height": height})
    for name, story in STATES.items():
        await tell(page, story)
        seen = await page.evaluate(BOXES)
        if seen["size"][0] > width or (seen["size"][1] > height and not may_scroll):
            yield name, "scrolls", seen["size"]
        if seen["hidden"]:
            yield name, "hides a score", seen["hidden"]
        for part, left, top, right, bottom in seen["boxes"] + seen["texts"]:
            is_inside = left >= -1 and right <= width + 1
            if not is_inside or (not may_scroll and (top < 0 or bottom > height)):
                yield name, "is cut", part, left, top, right, bottom
        for a, b in itertools.combinations(seen["texts"], 2):
            if a[0] != b[0] and overlap(*a[1:], *b[1:]):
                yield name, "covers", a, b
        places.update(tuple(box) for box in seen["boxes"] if box[0] in ("board", "act"))
    if len(places) > 2 and not may_scroll:
        yield "moves", places


def overlap(left, top, right, bottom, left2, top2, right2, bottom2):
    """Return whether two boxes have more in common than an edge."""
    width = min(right, right2) - max(left, left2)
    return width > 2 and min(bottom, bottom2) - max(top, top2) > 4


@pytest.mark.parametrize(
    ("screens", "font"),
    [
        (CORE, 16),
        (CORE, 32),
        pytest.param(CORE, 24, marks=pytest.mark.slow),
        pytest.param([*SCREENS, *SMALL], 16, marks=pytest.mark.slow),
    ],
)
async def test_nothing_scrolls_is_cut_or_moves(stage, screens, font):
    page = await stage()
    session = await page.context.new_cdp_session(page)
    sizes = {"standard": font, "fixed": font}
    await session.send("Page.setFontSizes", {"fontSizes": sizes})
    for size in screens:
        problems = [problem async for problem in find_problems(page, *size, font)]
        assert problems == [], size


async def test_wall_can_be_read_from_afar(stage):
    page = await stage(1920, 1080)
    await tell(page, STATES["watching"])
    sizes = {".name": 44, ".score": 60, ".sentence": 64, ".invitation .code": 80}
    for selector, size in sizes.items():
        style = "element => getComputedStyle(element).fontSize"
        assert await page.locator(selector).first.evaluate(style) == f"{size}px"


async def test_fingers_find_what_stands_alone(stage):
    page = await stage(320, 568)
    for name, story in STATES.items():
        await tell(page, story)
        alone = page.locator("button:not(.column, .field *), a.new, a.play")
        small = await alone.evaluate_all(
            """buttons => buttons.filter((button) => {
                const { width, height } = button.getBoundingClientRect();
                return width > 0 && Math.min(width, height) < 43.9;
            }).map(({ className }) => className)"""
        )
        assert small == [], name


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


def read_colours(theme):
    """Return the colours of the style sheet, by day and by night."""
    text = (HERE / "connect4.css").read_text()
    day, night, *_ = re.findall(r":root \{\n(.*?)\n\s*\}", text, re.DOTALL)
    found = re.findall(r"--([\w-]+): #(\w{6});", day + night * (theme == "dark"))
    colours = {name: [*bytes.fromhex(rgb)] for name, rgb in found}
    # When the game is over, what isn't of the four lies in the shade.
    rest = re.search(r"--rest: rgb\((\d+) (\d+) (\d+) / ([\d.]+)\)", day).groups()
    *shade, depth = map(float, rest)
    for name, rgb in [*colours.items()]:
        pairs = zip(rgb, shade, strict=True)
        mixed = [part * (1 - depth) + dark * depth for part, dark in pairs]
        colours[f"{name}-rest"] = mixed
    return colours


def luminance(rgb):
    def linear(part):
        part /= 255
        return part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4

    red, green, blue = map(linear, rgb)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(a, b):
    low, high = sorted([luminance(a), luminance(b)])
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_words_and_parts_stand_out(theme):
    colours = read_colours(theme)
    for table, least in [(TEXT, 4.5), (PARTS, 3)]:
        for name, grounds in table.items():
            for ground in grounds.split():
                found = contrast(colours[name], colours[ground])
                assert found >= least, (name, ground)


@pytest.mark.parametrize(
    "theme", ["light", pytest.param("dark", marks=pytest.mark.slow)]
)
async def test_forced_colours_leave_all_to_be_told_apart(stage, look_at, theme):
    page = await stage(forced_colors="active", color_scheme=theme)
    looks, plates = {}, []
    for name, story, column, row in [
        ("hole", "red RY 334", 6, 5),
        ("where it would land", "red RY 3342", 3, 2),
        ("red", "red RY 3342", 3, 0),
        ("yellow", "red RY 3342", 3, 1),
        ("last", "red RY 334", 4, 0),
        ("four", f"red RY {WON} wins", 4, 3),
        ("red, not of the four", f"red RY {WON} wins", 3, 1),
        ("yellow, not of the four", f"red RY {WON} wins", 0, 0),
    ]:
        await tell(page, story)
        cells = page.locator(f".column[data-column='{column}'] > .cell")
        looks[name] = await look_at(page, cells.nth(row))
    for a, b in itertools.combinations(looks, 2):
        assert difference(looks[a], looks[b]) > 0.03, (a, b)
    for state, player in itertools.product(["your turn", "won"], ["red", "yellow"]):
        await tell(page, STATES[state])
        plate = await look_at(page, page.locator(f".plate.{player}"))
        # In the middle of the lower edge, only turn and winner tell them apart.
        plates.append(plate[-7][len(plate[0]) // 2])
    assert plates[0] == plates[2] != plates[1] == plates[3]


def difference(a, b):
    """Return which part of the pixels of two pictures differ clearly."""
    pairs = [*zip(itertools.chain(*a), itertools.chain(*b), strict=True)]
    return sum(contrast(*pair) > 1.5 for pair in pairs) / len(pairs)


def test_only_what_costs_nothing_moves():
    style = (HERE / "connect4.css").read_text()
    used = set(re.findall(r"transition: ([\w-]+)", style))
    for name, block in re.findall(r"@keyframes (\w+) \{(.*?)\n\}", style, re.DOTALL):
        if name not in ("arrive", "late"):
            used |= {*re.findall(r"^ {4}([\w-]+):", block, re.MULTILINE)}
    assert used <= {"transform", "opacity", "animation-timing-function"}
