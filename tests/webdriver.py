"""
Firefox and WebKit, and the page in them.

Playwright drives neither of those that Debian has. Both take the commands of
https://www.w3.org/TR/webdriver2/, Firefox over its own protocol Marionette. Whoever
gives such a command waits until it's done, so each of them has a thread to itself.
``Page`` has the names of Playwright's, so that people do with it what they do there.

"""

import asyncio
import contextlib
import logging
import os
import shutil
import subprocess
import tempfile
from pathlib import Path

from marionette_driver.errors import MarionetteException
from marionette_driver.marionette import Marionette
from playwright.async_api import TimeoutError
from selenium.common.exceptions import TimeoutException, WebDriverException
from selenium.webdriver import ActionChains, WebKitGTK, WebKitGTKOptions
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.wait import WebDriverWait
from selenium.webdriver.webkitgtk.service import Service

from helpers import TIMEOUT

# They log what they are told, keys included.
for name in ("selenium", "urllib3"):
    logging.getLogger(name).setLevel(logging.WARNING)

# The programs of an engine, and the packages of Debian that they are in.
PROGRAMS = {
    "firefox": {"firefox-esr": "firefox-esr"},
    "webkit": {"WebKitWebDriver": "webkit2gtk-driver", "Xvfb": "xvfb"},
}

# The keys that no character stands for.
KEYS = {
    "Enter": Keys.ENTER,
    "Control": Keys.CONTROL,
    "ArrowLeft": Keys.ARROW_LEFT,
    "ArrowDown": Keys.ARROW_DOWN,
}


class Page:
    """The page in a browser, of which each command is run in a thread."""

    def __init__(self, browser):
        self.browser = browser
        self.keyboard = self

    async def goto(self, url):
        open_url = self.browser.navigate if self.is_firefox else self.browser.get
        await asyncio.to_thread(open_url, url)

    async def reload(self):
        await asyncio.to_thread(self.browser.refresh)

    async def go_back(self):
        back = self.browser.go_back if self.is_firefox else self.browser.back
        await asyncio.to_thread(back)

    async def click(self, selector):
        """Click the first element that matches."""
        element = await asyncio.to_thread(
            self.browser.find_element, "css selector", selector
        )
        await asyncio.to_thread(element.click)

    async def press(self, chord):
        """Press a key, with the modifiers before it, as in "Control+v"."""
        keys = [KEYS.get(key, key) for key in chord.split("+")]
        actions = (
            self.browser.actions.sequence("key", "keyboard")
            if self.is_firefox
            else ActionChains(self.browser)
        )
        for key in keys:
            actions.key_down(key)
        for key in reversed(keys):
            actions.key_up(key)
        await asyncio.to_thread(actions.perform)

    async def evaluate(self, function, arg=None):
        """Return what a function in JavaScript returns."""
        return await asyncio.to_thread(self.run, function, arg)

    async def wait_for_function(self, function, arg=None):
        """Wait until a function in JavaScript returns something true."""
        # After a click on a link, it's the next page that is meant.
        ignored = (MarionetteException, WebDriverException)
        wait = WebDriverWait(self, TIMEOUT, 0.02, ignored)
        try:
            await asyncio.to_thread(wait.until, lambda _: self.run(function, arg))
        except TimeoutException:
            raise TimeoutError(function) from None

    @property
    def is_firefox(self):
        return isinstance(self.browser, Marionette)

    def run(self, function, arg):
        script = f"return ({function})(...arguments)"
        if self.is_firefox:
            return self.browser.execute_script(script, script_args=[arg])
        return self.browser.execute_script(script, arg)


def missing(engine):
    """Return the packages of Debian without which an engine can't be started."""
    programs = PROGRAMS[engine].items()
    return [package for program, package in programs if shutil.which(program) is None]


@contextlib.contextmanager
def open_firefox():
    with tempfile.TemporaryDirectory() as folder:
        # The page's server waits for connections in reserve when it stops.
        browser = Marionette(
            port=0,
            bin=shutil.which("firefox-esr"),
            headless=True,
            gecko_log=folder,
            prefs={"network.http.speculative-parallel-limit": 0},
        )
        try:
            browser.start_session()
            yield Page(browser)
        finally:
            browser.cleanup()


@contextlib.contextmanager
def open_webkit():
    # It has no mode without windows. A screen of its own leaves it the focus.
    command = ["Xvfb", "-displayfd", "1", "-nolisten", "tcp"]
    screen = subprocess.Popen(command, stdout=-1, stderr=subprocess.DEVNULL)
    try:
        display = f":{int(screen.stdout.readline())}"
        options = WebKitGTKOptions()
        browsers = Path("/usr/lib").glob("*/webkit2gtk-4.*/MiniBrowser")
        options.binary_location = str(max(browsers))
        options.add_argument("--automation")
        service = Service(env={**os.environ, "DISPLAY": display})
        with WebKitGTK(options, service) as browser:
            yield Page(browser)
    finally:
        screen.terminate()
        screen.communicate()


# A browser that knows nobody, and the page that it shows.
OPEN = {"firefox": open_firefox, "webkit": open_webkit}
