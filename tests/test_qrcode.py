"""QR codes: symbols are those of a library, and a decoder reads them off the screen."""

import random
import string

import pytest
import qrcode
import zxingcpp
from playwright.async_api import Error, expect
from qrcode.util import MODE_8BIT_BYTE, QRData

from people import look_at
from stories import tell

# Links of all lengths, and the shortest and the longest text.
RANDOM = random.Random(4)
LETTERS = string.ascii_letters + string.digits + "-_"
TEXTS = [
    *(f"http://{''.join(RANDOM.choices(LETTERS, k=k))}" for k in range(1, 116, 5)),
    *("", "ä" * 61),
]

ENCODE = """async (texts) => {
    const { encode } = await import("/page/qrcode.js");
    return texts.map((text) => encode(text));
}"""


async def test_symbol_is_that_of_a_library(modules):
    symbols = await modules.evaluate(ENCODE, TEXTS)
    assert {len(symbol) for symbol in symbols} == set(range(21, 46, 4))
    for text, symbol in zip(TEXTS, symbols, strict=True):
        # The number of the mask is beside the finder on the top left.
        mask = sum(symbol[8][column] << 4 - column for column in (2, 3, 4)) ^ 0b101
        level = qrcode.ERROR_CORRECT_M
        code = qrcode.QRCode(error_correction=level, mask_pattern=mask, border=0)
        code.add_data(QRData(text.encode(), mode=MODE_8BIT_BYTE), optimize=0)
        code.make()
        assert symbol == code.get_matrix(), text
    with pytest.raises(Error, match="too large"):
        await modules.evaluate(ENCODE, [TEXTS[-1] + "b"])


async def test_decoder_reads_the_links_of_the_page(stage):
    page = await stage(320, 568, color_scheme="dark")
    await tell(page, "red Ry")
    for side, path in [("join", "k7qx2m"), ("watch", "?watch=k7qx2m")]:
        await page.evaluate("(steps) => go(steps)", [{"side": side}])
        address = f"http://192.168.1.5:8000/{path}"
        picture = page.get_by_role("img", name=f"QR code of {address}", exact=True)
        for forced_colors in ("none", "active"):
            await page.emulate_media(forced_colors=forced_colors)
            found = zxingcpp.read_barcodes(await look_at(picture))
            assert [each.text for each in found] == [address]
            modules = "svg => svg.clientWidth / svg.viewBox.baseVal.width"
            assert await picture.evaluate(modules) >= 3
    # The page does without a picture of a link that is too long.
    keys = {"code": "k7qx2m", "host": f"{'a' * 60}.{'b' * 60}"}
    await page.evaluate("(steps) => go(steps)", [{"keys": keys}])
    await expect(page.locator(".address")).to_have_text(f"{keys['host']}:8000/?watch=")
    await expect(page.locator(".qrcode")).to_be_hidden()
