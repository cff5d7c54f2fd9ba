"""
Tests of qrcode.js: the symbols are those of a library, and a decoder reads them.

The decoder gets screenshots, as a camera sees them, but straight and in focus.

"""

import random

import pytest
import qrcode
import zxingcpp
from playwright.async_api import expect
from qrcode.util import MODE_8BIT_BYTE, QRData
from segno import encoder

from states import link, start

LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
RANDOM = random.Random(4)

# Links of all lengths in turn.
LINKS = [
    f"http://{''.join(RANDOM.choices(LETTERS, k=length))}"
    for length in (1 + number % 115 for number in range(200))
]

ENCODE = """async (texts) => {
    const { encode } = await import("/qrcode.js");
    return texts.map((text) => encode(text).map((row) => row.map(Number)));
}"""

# As small as they ever are on the page: 3 pixels for a module.
DRAW = """async (texts) => {
    const { renderQRCode } = await import("/qrcode.js");
    document.body.replaceChildren(...texts.map((text) => {
        const name = "http://www.w3.org/2000/svg";
        const svg = document.createElementNS(name, "svg");
        renderQRCode(svg, text);
        svg.setAttribute("width", 3 * svg.viewBox.baseVal.width);
        svg.style.background = "white";
        return svg;
    }));
}"""


@pytest.fixture
async def page(open_page, site):
    """A page that can import modules, and shows nothing of its own."""
    return await open_page(site.url + "game.js", viewport={"width": 900, "height": 900})


def library(text, mask):
    """Return the symbol of a text by another's hand."""
    code = qrcode.QRCode(
        error_correction=qrcode.ERROR_CORRECT_M, mask_pattern=mask, border=0
    )
    code.add_data(QRData(text.encode(), mode=MODE_8BIT_BYTE), optimize=0)
    code.make()
    return [[int(isDark) for isDark in row] for row in code.get_matrix()]


def mask_of(symbol):
    """Return the number of the mask, which is beside the finder on the top left."""
    return sum(symbol[8][column] << 4 - column for column in (2, 3, 4)) ^ 0b101


async def read(page, look_at, locator):
    """Return the texts of all the QR codes that a decoder finds in a screenshot."""
    rows = await look_at(page, locator)
    grey = bytes(pixel[1] for row in rows for pixel in row)
    image = memoryview(grey).cast("B", (len(rows), len(rows[0])))
    found = zxingcpp.read_barcodes(image, formats=zxingcpp.BarcodeFormat.QRCode)
    return {each.text for each in found}


async def test_symbol_is_that_of_a_library(page):
    symbols = await page.evaluate(ENCODE, LINKS)
    assert {len(symbol) for symbol in symbols} == set(range(21, 46, 4))
    for text, symbol in zip(LINKS, symbols, strict=True):
        assert symbol == library(text, mask_of(symbol)), text


@pytest.mark.slow
async def test_mask_is_the_one_with_the_least_penalty(page):
    # Who counts two finders that overlap as one has another favourite at times.
    agreed = 0
    for text, symbol in zip(LINKS, await page.evaluate(ENCODE, LINKS), strict=True):
        masked = [[bytearray(row) for row in library(text, mask)] for mask in range(8)]
        penalties = [
            encoder.evaluate_mask(each, len(each), len(each)) for each in masked
        ]
        agreed += penalties[mask_of(symbol)] == min(penalties)
    assert agreed >= 0.95 * len(LINKS)


@pytest.mark.slow
async def test_decoder_reads_links_of_all_lengths(page, look_at):
    for number in range(0, len(LINKS), 20):
        texts = LINKS[number : number + 20]
        await page.evaluate(DRAW, texts)
        assert await read(page, look_at, page.locator("body")) == set(texts)


async def test_shortest_and_longest_text_have_a_symbol_and_a_longer_one_has_none(page):
    for text in ("", "ä" * 61):
        [symbol] = await page.evaluate(ENCODE, [text])
        assert symbol == library(text, mask_of(symbol))
    error = """(text) => import("/qrcode.js").then(({ encode }) => {
        try { encode(text) } catch (error) { return String(error) }
    })"""
    assert "too large" in await page.evaluate(error, "ä" * 61 + "b")


@pytest.mark.parametrize("width", [320, 1280])
async def test_decoder_reads_the_links_of_the_page(open_page, look_at, width):
    size = {"width": width, "height": 720}
    red, join, watch = await start(open_page, viewport=size, color_scheme="dark")
    if width == 320:
        await red.get_by_text("QR code", exact=True).click()
    await red.get_by_text("Let others watch").click()
    for forced_colors in ("none", "active"):
        await red.emulate_media(forced_colors=forced_colors)
        for name, address in {"Join": join, "Watch": watch}.items():
            picture = red.get_by_role("img", name=f"QR code of the {name} link")
            await picture.scroll_into_view_if_needed()
            await expect(picture).to_be_visible()
            assert await read(red, look_at, picture) == {address}
            modules = "svg => svg.clientWidth / svg.viewBox.baseVal.width"
            assert await picture.evaluate(modules) >= 3
    assert await link(red, "join") == join
