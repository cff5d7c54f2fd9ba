#!/usr/bin/env python3
"""
Make the README's picture, and sheets of all states of the page to look at.

    python tests/screenshots.py [folder for the sheets, else a temporary one]

"""

import asyncio
import base64
import itertools
import pathlib
import sys
import tempfile

from playwright.async_api import async_playwright

HERE = pathlib.Path(__file__).parent
sys.path.insert(0, str(HERE.parent))

from conftest import BROWSER, BROWSER_OPTIONS  # noqa: E402
from stories import STATES, open_stage, tell  # noqa: E402

# The width and height of screens, how wide their sheets are, and a picture on them.
SHEETS = {
    "laptop": (1280, 720, 1760, 560),
    "phone": (390, 844, 1720, 320),
    "landscape": (844, 390, 2020, 640),
    "smallest": (320, 568, 1720, 320),
    "tablet": (768, 1024, 1780, 420),
    "wall": (1920, 1080, 1980, 640),
}

STYLE = """
    body { margin: 0; padding: 20px; display: flex; flex-wrap: wrap; gap: 20px;
           align-items: start; background: #999; font: bold 20px sans-serif }
    figure { margin: 0 }
    figcaption { padding-bottom: 4px }
    img { display: block; border-radius: 8px }
"""


async def photograph(page, width, caption=""):
    """Return a picture of a page in HTML, scaled to a width, with its caption above."""
    data = base64.b64encode(await page.screenshot(full_page=True)).decode()
    image = f"<img width={width} src=data:image/png;base64,{data}>"
    return f"<figure><figcaption>{caption}</figcaption>{image}</figure>"


async def compose(browser, path, figures, width, style=""):
    """Write figures to a file, side by side as far as there is room."""
    page = await browser.new_page(viewport={"width": width, "height": 100})
    await page.set_content(f"<style>{STYLE}{style}</style>{''.join(figures)}")
    await page.screenshot(path=path, full_page=True, omit_background=True)
    await page.close()
    print(f"{path}: {path.stat().st_size / 1024:.0f} KiB")


async def open_page(browser, name, **options):
    """Open a page that is told stories, on a screen of ``SHEETS``."""
    width, height, *_ = SHEETS[name]
    if name not in ("laptop", "wall"):
        options |= {"has_touch": True, "is_mobile": True}
    viewport = {"width": width, "height": height}
    page = await browser.new_page(reduced_motion="reduce", viewport=viewport, **options)
    await open_stage(page)
    return page


async def make_picture(browser, path):
    """Make the picture of a game on a laptop and on a phone."""
    figures = []
    for player, name, scheme, width in [
        ("red", "laptop", "light", 832),
        ("yellow", "phone", "dark", 254),
    ]:
        # Pictures that need no scaling stay crisp, and small.
        options = {"color_scheme": scheme, "device_scale_factor": 0.65}
        page = await open_page(browser, name, **options)
        await tell(page, f"{player} RY 33423422355; 1")
        await page.locator(".column[data-column='4']").hover()
        figures.append(await photograph(page, width))
    style = "body { padding: 0; flex-wrap: nowrap; background: none }"
    await compose(browser, path, figures, 1106, style)


async def main(folder):
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(
            executable_path=BROWSER, args=BROWSER_OPTIONS
        )
        (HERE / "screenshots").mkdir(exist_ok=True)
        await make_picture(browser, HERE / "screenshots" / "game.png")
        for scheme, name in itertools.product(["light", "dark"], SHEETS):
            page = await open_page(browser, name, color_scheme=scheme)
            *_, width, shown = SHEETS[name]
            figures = []
            for state, story in STATES.items():
                # The focus that a state before it left behind isn't this one's.
                await page.evaluate("document.activeElement.blur()")
                await tell(page, story)
                figures.append(await photograph(page, shown, state))
            await compose(browser, folder / f"{name}-{scheme}.png", figures, width)


if __name__ == "__main__":
    folder = pathlib.Path(sys.argv[1] if sys.argv[1:] else tempfile.mkdtemp())
    folder.mkdir(parents=True, exist_ok=True)
    asyncio.run(main(folder))
