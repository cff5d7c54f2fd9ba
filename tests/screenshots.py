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
    body { margin: 0; display: flex; flex-wrap: wrap; gap: 20px; align-items: start }
    figure { margin: 0; font: bold 20px sans-serif }
    img { display: block; border-radius: 8px }
"""


async def photograph(browser, screen, shown, stories, **options):
    """Return pictures of a page, in HTML, as wide as they are shown, in some states."""
    figures = []
    width, height, *_ = SHEETS[screen]
    if screen not in ("laptop", "wall"):
        options |= {"has_touch": True, "is_mobile": True}
    viewport = {"width": width, "height": height}
    page = await browser.new_page(reduced_motion="reduce", viewport=viewport, **options)
    await open_stage(page)
    for state, story in stories.items():
        # The focus that a state before it left behind isn't this one's.
        await page.evaluate("document.activeElement.blur()")
        await tell(page, story)
        if not state:  # In the README's picture somebody is about to play.
            await page.hover(".column[data-column='4']")
        data = base64.b64encode(await page.screenshot(full_page=True)).decode()
        image = f"<img width={shown} src=data:image/png;base64,{data}>"
        figures.append(f"<figure>{state}{image}</figure>")
    return figures


async def compose(browser, path, figures, width, style=""):
    """Write figures to a file, side by side as far as there is room."""
    page = await browser.new_page(viewport={"width": width, "height": 100})
    await page.set_content(f"<style>{STYLE}{style}</style>{''.join(figures)}")
    await page.screenshot(path=path, full_page=True, omit_background=True)
    print(path)


async def main(folder):
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(
            executable_path=BROWSER, args=BROWSER_OPTIONS
        )
        figures = []
        for player, screen, theme, shown in [
            ("red", "laptop", "light", 832),
            ("yellow", "phone", "dark", 254),
        ]:
            # Pictures that need no scaling stay crisp, and small.
            options = {"color_scheme": theme, "device_scale_factor": 0.65}
            story = {"": f"{player} RY 33423422355; 1"}
            figures += await photograph(browser, screen, shown, story, **options)
        await compose(browser, HERE / "screenshots" / "game.png", figures, 1106)
        for theme, screen in itertools.product(["light", "dark"], SHEETS):
            *_, width, shown = SHEETS[screen]
            options = {"color_scheme": theme}
            figures = await photograph(browser, screen, shown, STATES, **options)
            path = folder / f"{screen}-{theme}.png"
            await compose(browser, path, figures, width, "body { background: #999 }")


if __name__ == "__main__":
    folder = pathlib.Path(sys.argv[1] if sys.argv[1:] else tempfile.mkdtemp())
    folder.mkdir(parents=True, exist_ok=True)
    asyncio.run(main(folder))
