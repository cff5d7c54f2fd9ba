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

import app  # noqa: E402
from conftest import BROWSER, BROWSER_OPTIONS  # noqa: E402
from helpers import Site, forget_all  # noqa: E402
from states import STATES, Match, expect_sentence, expect_state  # noqa: E402

GAME = [3, 3, 4, 2, 3, 4, 2, 2, 3, 5, 5, 1]

TOUCH = {"has_touch": True, "is_mobile": True, "device_scale_factor": 2}
LAPTOP = {"viewport": {"width": 1280, "height": 720}}
PHONE = {"viewport": {"width": 390, "height": 844}, **TOUCH}
LANDSCAPE = {"viewport": {"width": 844, "height": 390}, **TOUCH}
SMALLEST = {"viewport": {"width": 320, "height": 568}, **TOUCH}
TABLET = {"viewport": {"width": 768, "height": 1024}, **TOUCH}
WALL = {"viewport": {"width": 1920, "height": 1080}}

# For the README: pictures that need no scaling stay crisp, and small.
SMALL_LAPTOP = {**LAPTOP, "device_scale_factor": 0.65}
SMALL_PHONE = {**PHONE, "device_scale_factor": 0.65}

STYLE = """
    body { margin: 0; padding: 20px; display: flex; flex-wrap: wrap; gap: 20px;
           align-items: start; background: #999; font: bold 20px sans-serif }
    figure { margin: 0 }
    figcaption { padding-bottom: 4px }
    img { display: block; border-radius: 8px }
"""


def figure(picture, width, caption=""):
    """Return a picture in HTML, scaled to a width, with its caption above."""
    data = base64.b64encode(picture).decode()
    image = f"<img width={width} src=data:image/png;base64,{data}>"
    return f"<figure><figcaption>{caption}</figcaption>{image}</figure>"


class Studio:
    """A browser in which people play for the camera."""

    def __init__(self, browser):
        self.browser = browser

    async def photograph(self, arrange, **options):
        """Return pictures of the pages that a function arranges at a match."""
        contexts = []

        async def open_page(url=None, **options):
            options = {"reduced_motion": "reduce", **options}
            contexts.append(await self.browser.new_context(**options))
            page = await contexts[-1].new_page()
            await page.goto(url or site.url)
            return page

        site = Site()
        await site.start()
        pages = await arrange(Match(site, open_page, **options))
        pictures = [await page.screenshot(full_page=True) for page in pages]
        for context in contexts:
            await context.close()
        await site.stop()
        forget_all()
        return pictures

    async def compose(self, path, figures, width, style=""):
        """Write figures to a file, side by side as far as there is room."""
        page = await self.browser.new_page(viewport={"width": width, "height": 100})
        await page.set_content(f"<style>{STYLE}{style}</style>{''.join(figures)}")
        await page.screenshot(path=path, full_page=True, omit_background=True)
        await page.close()
        print(f"{path}: {path.stat().st_size / 1024:.0f} KiB")

    async def make_picture(self, path):
        """Make the picture of a game on a laptop and on a phone."""

        async def arrange(match):
            app.ADDRESSES[:] = [("wlan0", "192.168.1.5")]
            await match.begin(*GAME[:-1])
            laptop = await match.open("red")
            match.options = {**SMALL_PHONE, "color_scheme": "dark"}
            phone = await match.open("yellow")
            await phone.locator(f".column[data-column='{GAME[-1]}']").tap()
            await expect_sentence(laptop, "Your turn")
            await laptop.locator(".column[data-column='4']").hover()
            app.ADDRESSES.clear()
            return laptop, phone

        laptop, phone = await self.photograph(arrange, **SMALL_LAPTOP)
        style = "body { padding: 0; flex-wrap: nowrap; background: none }"
        figures = [figure(laptop, 832), figure(phone, 254)]
        await self.compose(path, figures, 1106, style)

    async def make_sheet(self, path, width, shown, **options):
        """Make a sheet of all states."""
        figures = []
        for state in STATES:

            async def arrange(match, state=state):
                page = await state(match)
                await expect_state(page, state)
                return [page]

            [picture] = await self.photograph(arrange, **options)
            caption = state.__name__.replace("_", " ")
            figures.append(figure(picture, shown, caption))
        await self.compose(path, figures, width)


async def main(folder):
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(
            executable_path=BROWSER, args=BROWSER_OPTIONS
        )
        studio = Studio(browser)
        (HERE / "screenshots").mkdir(exist_ok=True)
        await studio.make_picture(HERE / "screenshots" / "game.png")
        for scheme in ("light", "dark"):
            for name, device, width, shown in [
                ("laptop", LAPTOP, 1760, 560),
                ("phone", PHONE, 1720, 320),
                ("landscape", LANDSCAPE, 2020, 640),
                ("smallest", SMALLEST, 1720, 320),
                ("tablet", TABLET, 1780, 420),
                ("wall", WALL, 1980, 640),
            ]:
                path = folder / f"{name}-{scheme}.png"
                await studio.make_sheet(
                    path, width, shown, color_scheme=scheme, **device
                )


if __name__ == "__main__":
    folder = pathlib.Path(sys.argv[1] if sys.argv[1:] else tempfile.mkdtemp())
    folder.mkdir(parents=True, exist_ok=True)
    asyncio.run(main(folder))
