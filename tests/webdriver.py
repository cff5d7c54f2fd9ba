"""
Firefox and WebKit, and the page in them, with Playwright's names for what people do.

Playwright drives neither of those that Debian has. Both take the commands of
https://www.w3.org/TR/webdriver2/, Firefox over its own protocol Marionette. Whoever
gives such a command waits until it's done, so each is given in a thread.

"""

import contextlib
import logging
import os
import shutil
import subprocess
from asyncio import to_thread
from pathlib import Path

from marionette_driver.errors import MarionetteException
from marionette_driver.marionette import Marionette
from playwright.async_api import TimeoutError
from selenium.common.exceptions import TimeoutException, WebDriverException
from selenium.webdriver import WebKitGTK, WebKitGTKOptions
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.wait import WebDriverWait
from selenium.webdriver.webkitgtk.service import Service

from helpers import TIMEOUT

# They log what they are told, keys included.
for name in ("selenium", "urllib3"):
    logging.getLogger(name).setLevel(logging.WARNING)

# The keys that no character stands for.
KEYS = {
    "Enter": Keys.ENTER,
    "Control": Keys.CONTROL,
    "ArrowLeft": Keys.ARROW_LEFT,
    "ArrowDown": Keys.ARROW_DOWN,
}


class Firefox(Marionette):
    get, back = Marionette.navigate, Marionette.go_back

    def run(self, script, *args):
        return self.execute_script(script, script_args=args)


class Page:
    """The page that a browser shows."""

    def __init__(self, browser):
        self.browser = browser
        self.keyboard = self

    async def goto(self, url):
        await to_thread(self.browser.get, url)

    async def reload(self):
        await to_thread(self.browser.refresh)

    async def go_back(self):
        await to_thread(self.browser.back)

    async def click(self, selector):
        find = self.browser.find_element
        await to_thread(lambda: find("css selector", selector).click())

    async def press(self, chord):
        keys = "".join(KEYS.get(key, key) for key in chord.split("+"))
        focused = await to_thread(self.browser.run, "return document.activeElement")
        await to_thread(focused.send_keys, keys)

    async def evaluate(self, function, *args):
        script = f"return ({function})(...arguments)"
        return await to_thread(self.browser.run, script, *args)

    async def wait_for_function(self, function, arg=None):
        # After a click on a link, it's the next page that is meant.
        ignored = (MarionetteException, WebDriverException)
        wait = WebDriverWait(self.browser, TIMEOUT, 0.02, ignored)
        script = f"return ({function})(...arguments)"
        try:
            await to_thread(wait.until, lambda browser: browser.run(script, arg))
        except TimeoutException:
            raise TimeoutError(function) from None


@contextlib.contextmanager
def open_firefox():
    # The page's server waits for connections in reserve when it stops.
    prefs = {"network.http.speculative-parallel-limit": 0}
    options = {"headless": True, "gecko_log": "-", "prefs": prefs}
    browser = Firefox(port=0, bin=shutil.which("firefox-esr"), **options)
    try:
        browser.start_session()
        yield Page(browser)
    finally:
        browser.cleanup()


@contextlib.contextmanager
def open_webkit():
    # It has no mode without windows. A screen of its own leaves it the focus.
    command = ["Xvfb", "-displayfd", "1", "-nolisten", "tcp"]
    with subprocess.Popen(command, stdout=-1, stderr=subprocess.DEVNULL) as screen:
        try:
            display = f":{int(screen.stdout.readline())}"
            options = WebKitGTKOptions()
            browsers = Path("/usr/lib").glob("*/webkit2gtk-4.*/MiniBrowser")
            options.binary_location = str(max(browsers))
            options.add_argument("--automation")
            service = Service(env={**os.environ, "DISPLAY": display})
            with WebKitGTK(options, service) as browser:
                browser.run = browser.execute_script
                yield Page(browser)
        finally:
            screen.terminate()


# How to open an engine's browser, its programs, and their packages in Debian.
ENGINES = {
    "firefox": (open_firefox, ["firefox-esr"], "firefox-esr"),
    "webkit": (open_webkit, ["WebKitWebDriver", "Xvfb"], "webkit2gtk-driver xvfb"),
}
