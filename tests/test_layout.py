"""Tests of the look of the page by numbers, in all its states, without a server."""

import itertools
import re
from pathlib import Path

import pytest

HERE = Path(__file__).parent
ADDRESS = "http://layout.test/"
TYPES = {".html": "text/html", ".css": "text/css", ".js": "text/javascript"}

SCREENS = [
    (320, 568), (360, 640), (390, 844), (412, 915), (844, 390), (667, 375),
    (768, 1024), (820, 1180), (1024, 768), (1024, 500), (1280, 720), (1366, 625),
    (1366, 768), (1920, 1080), (2560, 1440),
]  # fmt: skip

# Screens and default fonts with which one has to scroll, but never sideways.
SMALL = [(341, 192, 16), (320, 256, 16), (480, 320, 16), (568, 320, 16)]
LARGE_FONTS = [
    (width, height, font)
    for width, height in [(390, 844), (844, 390), (1366, 768), (320, 568)]
    for font in (24, 32)
]

# The other screens are for the slow part.
CORE = [(320, 568), (390, 844), (844, 390), (1366, 768)]


def cases(sizes):
    """Return sizes as parameters, of which those that aren't in the core are slow."""
    core = [*CORE, *((*size, 32) for size in CORE)]
    return [
        pytest.param(*size, marks=() if size in core else pytest.mark.slow)
        for size in sizes
    ]


# Which colours stand on which, and how much they must differ (WCAG 1.4.3, 1.4.11).
# Large words, and the words of keys, are bold and large.
TEXT = [
    ("ink", "wall-up"), ("ink", "wall"), ("ink", "wall-down"), ("ink", "table"),
    ("ink", "table-down"), ("faint", "wall-up"), ("faint", "wall-down"),
    ("on-red", "red"), ("on-yellow", "yellow"), ("on-key", "key"),
    ("paper-ink", "paper"), ("paper-faint", "paper"), ("code-ink", "paper"),
]  # fmt: skip
PARTS = [
    ("face-1", "wall-up"), ("face-1", "wall"), ("face-2", "wall"),
    ("face-3", "wall-down"),
    ("red-shape", "red"), ("yellow-shape", "yellow"), ("mark", "face-1"),
    ("mark", "face-2"), ("mark", "face-3"), ("yellow", "face-1"), ("yellow", "face-2"),
    ("yellow", "face-3"), ("red-line", "wall-up"), ("yellow-line", "wall-up"),
    ("red-shape at rest", "red at rest"), ("yellow-shape at rest", "yellow at rest"),
]  # fmt: skip

# Buttons that aren't part of something larger
ALONE = "button:not(.column, .field *), a.new, a.play"

# What is seen, as [name, left, top, right, bottom]: boxes, and lines of text.
BOXES = """() => {
    const seen = (element) => element.checkVisibility({ visibilityProperty: true });
    const box = (name, { left, top, right, bottom }) =>
        [name, ...[left, top, right, bottom].map(Math.round)];
    const parts = "h1 .watchers .sound .plate .board .sentence .act .review .quiet>* "
        + ".invitation .lobby>* .invitation>* .sign";
    const boxes = parts.split(" ").flatMap((part) =>
        [...document.querySelectorAll(part)]
            .filter((element) => seen(element) && !element.matches(".said *, .said"))
            .filter((element) => element.clientWidth > 1)
            .map((element) => box(part, element.getBoundingClientRect())));
    const texts = [];
    const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
    while (walker.nextNode()) {
        const { data, parentElement } = walker.currentNode;
        const isHidden = !seen(parentElement)
            || parentElement.closest(".said, .status")
            || parentElement.closest("h1, .watchers")?.clientWidth === 1;
        if (data.trim() !== "" && !isHidden) {
            const range = new Range();
            range.selectNodeContents(walker.currentNode);
            // Letters are lower than the lines that fonts want for them.
            for (const { left, top, right, bottom, height } of range.getClientRects()) {
                const inner = { top: top + height / 5, bottom: bottom - height / 5 };
                texts.push(box(data.trim(), { left, right, ...inner }));
            }
        }
    }
    const { scrollWidth, scrollHeight } = document.documentElement;
    return { boxes, texts, size: [scrollWidth, scrollHeight] };
}"""


def serve_file(route):
    """Answer with a file of the page; in the place of main.js, with the stub."""
    name = route.request.url.removeprefix(ADDRESS) or "index.html"
    path = HERE / "stub.js" if name == "main.js" else HERE.parent / name
    if not path.is_file():
        return route.fulfill(status=404)
    return route.fulfill(path=path, content_type=TYPES.get(path.suffix))


@pytest.fixture
async def open_stub(browser):
    """A function that opens the page, and can show each of its states."""
    contexts = []

    async def open_stub(width=1366, height=768, font=16, **options):
        options = {"reduced_motion": "reduce", **options}
        size = {"width": width, "height": height}
        context = await browser.new_context(viewport=size, **options)
        contexts.append(context)
        page = await context.new_page()
        await page.route("**/*", serve_file)
        if font != 16:
            session = await context.new_cdp_session(page)
            sizes = {"standard": font, "fixed": font}
            await session.send("Page.setFontSizes", {"fontSizes": sizes})
        await page.goto(ADDRESS)
        await page.wait_for_function("() => window.show !== undefined")
        return page

    yield open_stub
    for context in contexts:
        await context.close()


async def states(page):
    """Show each state of the page, one after the other."""
    for name in await page.evaluate("Object.keys(STATES)"):
        await page.evaluate("name => show(name)", name)
        yield name, await page.evaluate(BOXES)


def overlaps(a, b):
    """Return whether two boxes have more in common than an edge."""
    (_, left, top, right, bottom), (_, left2, top2, right2, bottom2) = a, b
    width = min(right, right2) - max(left, left2)
    height = min(bottom, bottom2) - max(top, top2)
    return width > 2 and height > 4


def text_on_text(texts):
    pairs = itertools.combinations(texts, 2)
    return [(a[0], b[0]) for a, b in pairs if a[0] != b[0] and overlaps(a, b)]


@pytest.mark.parametrize(("width", "height"), cases(SCREENS))
async def test_nothing_scrolls_is_cut_or_moves(open_stub, width, height):
    page = await open_stub(width, height)
    problems, places = [], {}
    async for name, seen in states(page):
        if seen["size"][0] > width or seen["size"][1] > height:
            problems.append((name, "scrolls", seen["size"]))
        for part, left, top, right, bottom in seen["boxes"] + seen["texts"]:
            if left < -1 or top < 0 or right > width + 1 or bottom > height:
                problems.append((name, "is cut", part, left, top, right, bottom))
        problems += [(name, *pair) for pair in text_on_text(seen["texts"])]
        for part, *box in seen["boxes"]:
            if part in (".board", ".act"):
                places.setdefault(part, set()).add(tuple(box))
    assert problems == []
    assert [len(places[part]) for part in (".board", ".act")] == [1, 1], places


@pytest.mark.parametrize(("width", "height", "font"), cases(SMALL + LARGE_FONTS))
async def test_small_screens_and_large_fonts(open_stub, width, height, font):
    page = await open_stub(width, height, font)
    problems = []
    async for name, seen in states(page):
        if seen["size"][0] > width:
            problems.append((name, "is too wide", seen["size"]))
        for part, left, _, right, _ in seen["boxes"] + seen["texts"]:
            if left < -1 or right > width + 1:
                problems.append((name, "is cut", part, left, right))
        problems += [(name, *pair) for pair in text_on_text(seen["texts"])]
    assert problems == []


async def test_wall_can_be_read_from_afar(open_stub):
    page = await open_stub(1920, 1080)
    await page.evaluate("show('watching')")
    sizes = {".name": 44, ".score": 60, ".sentence": 64, ".invitation .code": 80}
    for selector, size in sizes.items():
        style = "element => getComputedStyle(element).fontSize"
        assert await page.locator(selector).first.evaluate(style) == f"{size}px"


async def test_fingers_find_what_stands_alone(open_stub):
    page = await open_stub(320, 568)
    small = []
    for name in await page.evaluate("Object.keys(STATES)"):
        await page.evaluate("name => show(name)", name)
        for button in await page.locator(ALONE).all():
            if await button.is_visible():
                box = await button.bounding_box()
                if min(box["height"], box["width"]) < 43.9:
                    small.append((name, await button.get_attribute("class")))
    assert small == []


REST = re.compile(r"--rest: rgb\((.*)\)")


def read_colours():
    """Return the colours of the style sheet, by day and by night."""
    text = (HERE.parent / "connect4.css").read_text()
    day, night, *_ = re.findall(r":root \{\n(.*?)\n\s*\}", text, re.DOTALL)
    read = re.compile(r"--([\w-]+): #(\w\w)(\w\w)(\w\w);")
    colours = {}
    for theme, block in {"light": day, "dark": day + night}.items():
        found = read.findall(block)
        colours[theme] = {name: [int(part, 16) for part in rgb] for name, *rgb in found}
        # When the game is over, what isn't of the four lies in the shade.
        *shade, depth = map(float, re.findall(r"[\d.]+", REST.search(day)[1]))
        for name, rgb in list(colours[theme].items()):
            pairs = zip(rgb, shade, strict=True)
            mixed = [part * (1 - depth) + dark * depth for part, dark in pairs]
            colours[theme][f"{name} at rest"] = mixed
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
def test_contrast(theme):
    colours = read_colours()[theme]
    wanted = {**dict.fromkeys(TEXT, 4.5), **dict.fromkeys(PARTS, 3)}
    found = {pair: contrast(*map(colours.get, pair)) for pair in wanted}
    assert {pair: ratio for pair, ratio in found.items() if ratio < wanted[pair]} == {}


@pytest.mark.parametrize("theme", ["light", "dark"])
async def test_forced_colours_leave_all_to_be_told_apart(open_stub, look_at, theme):
    page = await open_stub(forced_colors="active", color_scheme=theme)

    async def cell(state, column, row):
        await page.evaluate("name => show(name)", state)
        column = page.locator(f".column[data-column='{column}'] > .cell")
        return await look_at(page, column.nth(row))

    looks = {
        "hole": await cell("theirs", 6, 5),
        "where it would land": await cell("turn", 3, 3),
        "red": await cell("turn", 2, 1),
        "yellow": await cell("turn", 2, 0),
        "last": await cell("turn", 5, 0),
        "four": await cell("won", 5, 3),
        "red, not of the four": await cell("won", 1, 1),
        "yellow, not of the four": await cell("won", 2, 1),
    }
    plates = {}
    for state, player in itertools.product(["turn", "won"], ["red", "yellow"]):
        await page.evaluate("name => show(name)", state)
        plates[state, player] = await look_at(page, page.locator(f".plate.{player}"))
    for a, b in itertools.combinations(looks, 2):
        assert difference(looks[a], looks[b]) > 0.03, (a, b)
    # In the middle of the lower edge, nothing but turn and winner tells them apart.
    edges = {name: rows[-7][len(rows[0]) // 2] for name, rows in plates.items()}
    assert edges["turn", "red"] == edges["won", "red"] != edges["turn", "yellow"]


def difference(a, b):
    """Return which part of the pixels of two pictures differ clearly."""
    pairs = [
        pair for rows in zip(a, b, strict=False) for pair in zip(*rows, strict=False)
    ]
    return sum(contrast(*pair) > 1.5 for pair in pairs) / len(pairs)


async def test_only_what_costs_nothing_moves(open_stub):
    page = await open_stub(reduced_motion="no-preference")
    await page.evaluate("show('won', { moves: [], line: [], sign: null })")
    found = await page.evaluate("""async () => {
        const board = document.querySelector(".board");
        const events = [];
        for (const type of ["fall", "light", "settle"]) {
            board.addEventListener(type, ({ detail }) => events.push([type, detail]));
        }
        const settled = () => new Promise((resolve) =>
            board.addEventListener("settle", resolve, { once: true }));
        const properties = new Set();
        const look = () => {
            for (const { effect, animationName } of document.getAnimations()) {
                const frames = animationName === "arrive" ? [] : effect.getKeyframes();
                frames.flatMap(Object.keys).forEach((key) => properties.add(key));
            }
            requestAnimationFrame(look);
        };
        look();
        const moves = STATES.won.moves;
        show("turn", { moves: moves.slice(0, -1) });
        await settled();
        show("won");
        await settled();
        show("turn", { moves: [] });
        await settled();
        for (const key of ["offset", "computedOffset", "easing", "composite"]) {
            properties.delete(key);
        }
        return { events, properties: [...properties].sort() };
    }""")
    assert found["properties"] == ["opacity", "transform"]
    assert [name for name, _ in found["events"]] == [
        "settle", "fall", "light", "settle", "settle"
    ]  # fmt: skip
    _, (_, fall), (_, light), *_ = found["events"]
    assert 0.2 < fall.pop("delay") < 0.4
    assert fall == {"player": "red", "column": 5, "row": 3}
    assert light["delays"] == pytest.approx([0, 0.14, 0.28, 0.42])
