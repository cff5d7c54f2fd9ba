#!/usr/bin/env python3
"""
Make the README's picture, and sheets of all states of the page to look at.

    python tests/screenshots.py [folder for the sheets, else a temporary one]

"""

import asyncio
import base64
import pathlib
import sys
import tempfile

from playwright.async_api import async_playwright

HERE = pathlib.Path(__file__).parent
sys.path.insert(0, str(HERE.parent))

from conftest import BROWSER, BROWSER_OPTIONS  # noqa: E402
from stories import STATES, open_stage, tell  # noqa: E402

GAME = "33423422355"

TOUCH = {"has_touch": True, "is_mobile": True, "device_scale_factor": 2}
LAPTOP = {"viewport": {"width": 1280, "height": 720}}
PHONE = {"viewport": {"width": 390, "height": 844}, **TOUCH}

# Screens, and how wide their sheets are, and a picture on them.
SHEETS = {
    "laptop": (LAPTOP, 1760, 560),
    "phone": (PHONE, 1720, 320),
    "landscape": ({"viewport": {"width": 844, "height": 390}, **TOUCH}, 2020, 640),
    "smallest": ({"viewport": {"width": 320, "height": 568}, **TOUCH}, 1720, 320),
    "tablet": ({"viewport": {"width": 768, "height": 1024}, **TOUCH}, 1780, 420),
    "wall": ({"viewport": {"width": 1920, "height": 1080}}, 1980, 640),
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


async def make_picture(browser, path):
    """Make the picture of a game on a laptop and on a phone."""
    figures = []
    for player, options, width in [
        ("red", LAPTOP, 832),
        ("yellow", {**PHONE, "color_scheme": "dark"}, 254),
    ]:
        # Pictures that need no scaling stay crisp, and small.
        options = {**options, "reduced_motion": "reduce", "device_scale_factor": 0.65}
        page = await browser.new_page(**options)
        await open_stage(page)
        await tell(page, f"{player} RY {GAME}; 1")
        await page.locator(".column[data-column='4']").hover()
        figures.append(await photograph(page, width))
    style = "body { padding: 0; flex-wrap: nowrap; background: none }"
    await compose(browser, path, figures, 1106, style)


async def make_sheet(browser, path, options, width, shown):
    """Make a sheet of all states."""
    page = await browser.new_page(reduced_motion="reduce", **options)
    await open_stage(page)
    figures = []
    for name, story in STATES.items():
        await tell(page, story)
        figures.append(await photograph(page, shown, name))
    await compose(browser, path, figures, width)


async def main(folder):
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(
            executable_path=BROWSER, args=BROWSER_OPTIONS
        )
        (HERE / "screenshots").mkdir(exist_ok=True)
        await make_picture(browser, HERE / "screenshots" / "game.png")
        for scheme in ("light", "dark"):
            for name, (screen, width, shown) in SHEETS.items():
                options = {"color_scheme": scheme, **screen}
                path = folder / f"{name}-{scheme}.png"
                await make_sheet(browser, path, options, width, shown)


if __name__ == "__main__":
    folder = pathlib.Path(sys.argv[1] if sys.argv[1:] else tempfile.mkdtemp())
    folder.mkdir(parents=True, exist_ok=True)
    asyncio.run(main(folder))
