"""QR codes: symbols are those of a library, and a decoder reads them off the screen."""

import random
import string

import pytest
import qrcode
import zxingcpp
from playwright.async_api import Error, expect
from qrcode.util import MODE_8BIT_BYTE, QRData
from segno import encoder

from people import PHONE, link, see, start

# Links of all lengths in turn.
RANDOM = random.Random(4)
LINKS = [
    f"http://{''.join(RANDOM.choices(string.ascii_letters + '0123456789-_', k=length))}"
    for length in (1 + number % 115 for number in range(200))
]

ENCODE = """async (texts) => {
    const { encode } = await import("/page/qrcode.js");
    return texts.map((text) => encode(text).map((row) => row.map(Number)));
}"""


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


@pytest.mark.parametrize(
    "texts", [LINKS[::9], pytest.param(LINKS, marks=pytest.mark.slow)], ids=len
)
async def test_symbol_is_that_of_a_library(modules, texts):
    shortest, longest = "", "ä" * 61
    texts = [*texts, shortest, longest]
    symbols = await modules.evaluate(ENCODE, texts)
    assert {len(symbol) for symbol in symbols} == set(range(21, 46, 4))
    for text, symbol in zip(texts, symbols, strict=True):
        assert symbol == library(text, mask_of(symbol)), text
    with pytest.raises(Error, match="too large"):
        await modules.evaluate(ENCODE, [longest + "b"])


@pytest.mark.slow
async def test_mask_is_the_one_with_the_least_penalty(modules):
    # Who counts two finders that overlap as one has another favourite at times.
    agreed = 0
    for text, symbol in zip(LINKS, await modules.evaluate(ENCODE, LINKS), strict=True):
        masked = [[bytearray(row) for row in library(text, mask)] for mask in range(8)]
        size = len(symbol)
        penalties = [encoder.evaluate_mask(each, size, size) for each in masked]
        agreed += penalties[mask_of(symbol)] == min(penalties)
    assert agreed >= 0.95 * len(LINKS)


async def test_decoder_reads_the_links_of_the_page(open_page, look_at):
    red, *links = await start(open_page, **PHONE, color_scheme="dark")
    card = red.locator(".invitation")
    for address, other in zip(links, ["Link to watch", "Link to play"], strict=True):
        picture = card.get_by_role("img", name=f"QR code of {address}", exact=True)
        for forced_colors in ("none", "active"):
            await red.emulate_media(forced_colors=forced_colors)
            await picture.scroll_into_view_if_needed()
            rows = await look_at(picture)
            grey = bytes(pixel[1] for row in rows for pixel in row)
            image = memoryview(grey).cast("B", (len(rows), len(rows[0])))
            found = zxingcpp.read_barcodes(image)
            assert [each.text for each in found] == [address]
            modules = "svg => svg.clientWidth / svg.viewBox.baseVal.width"
            assert await picture.evaluate(modules) >= 3
        assert await link(red) == address
        await card.get_by_role("button", name=other).click()


async def test_page_does_without_a_picture_of_a_link_that_is_too_long(open_page, site):
    # With this one, the link to play fits, and the link to watch doesn't.
    host = f"{'a' * 60}.{'b' * 29}.localhost:{site.port}"
    red = await open_page(f"http://{host}/")
    card = red.locator(".invitation")
    await expect(card.locator(".qrcode")).to_be_visible()
    await card.locator(".turn").click()
    await expect(card.locator(".address")).to_have_text(f"{host}/?watch=")
    await expect(card.locator(".qrcode")).to_be_hidden()
    await expect(card.locator(".copy")).to_be_visible()
    await see(red, said="You are red.")
