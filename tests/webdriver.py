"""
Firefox and WebKit, and the page in them.

Playwright drives neither of those that Debian has. Both take the commands of
https://www.w3.org/TR/webdriver2/, Firefox over its own protocol Marionette. Whoever
gives such a command waits until it's done, so each of them has a thread to itself.

"""

import asyncio
import contextlib
import functools
import logging
import os
import shutil
import subprocess
import tempfile
from pathlib import Path

from marionette_driver.errors import MarionetteException
from marionette_driver.marionette import Marionette
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
    "Tab": Keys.TAB,
    "Enter": Keys.ENTER,
    "Control": Keys.CONTROL,
    "ArrowLeft": Keys.ARROW_LEFT,
    "ArrowDown": Keys.ARROW_DOWN,
}


class Hands:
    """What one does in a browser, whichever it is."""

    def click(self, selector):
        """Click the first element that matches."""
        self.find_element("css selector", selector).click()

    def press(self, *keys):
        """Press keys, each with the modifiers before it, as in "Control+v"."""
        for chord in keys:
            actions = self.begin_actions()
            values = [KEYS.get(key, key) for key in chord.split("+")]
            for value in values:
                actions.key_down(value)
            for value in reversed(values):
                actions.key_up(value)
            actions.perform()

    def evaluate(self, function, *args):
        """Return what a function in JavaScript returns."""
        return self.run(f"return ({function})(...arguments)", args)

    def until(self, condition, *args):
        """Wait until a function in JavaScript returns something true."""
        # After a click on a link, it's the next page that is meant.
        ignored = (MarionetteException, WebDriverException)
        wait = WebDriverWait(self, TIMEOUT, 0.02, ignored)
        try:
            wait.until(lambda _: self.evaluate(condition, *args))
        except TimeoutException:
            text = self.evaluate("() => document.body.innerText")
            raise AssertionError(f"{condition} of {args}: {text!r}") from None


class Firefox(Hands, Marionette):
    goto = Marionette.navigate
    reload = Marionette.refresh
    back = Marionette.go_back

    def begin_actions(self):
        return self.actions.sequence("key", "keyboard")

    def run(self, script, args):
        return self.execute_script(script, script_args=args)

    def close_tab(self):
        """Close the tab, and go on in a new one."""
        tab = self.open(type="tab")
        self.close()
        self.switch_to_window(tab["handle"])


class WebKit(Hands, WebKitGTK):
    goto = WebKitGTK.get
    reload = WebKitGTK.refresh

    def begin_actions(self):
        return ActionChains(self)

    def run(self, script, args):
        return self.execute_script(script, *args)

    def close_tab(self):
        """Close the tab, and go on in a new one."""
        tab = self.current_window_handle
        self.switch_to.new_window("tab")
        new = self.current_window_handle
        self.switch_to.window(tab)
        self.close()
        self.switch_to.window(new)


class Page:
    """The page in a browser, of which each method is run in a thread."""

    def __init__(self, browser):
        self.browser = browser

    def __getattr__(self, name):
        return functools.partial(asyncio.to_thread, getattr(self.browser, name))


def missing(engine):
    """Return the packages of Debian without which an engine can't be started."""
    programs = PROGRAMS[engine].items()
    return [package for program, package in programs if shutil.which(program) is None]


@contextlib.contextmanager
def open_firefox():
    with tempfile.TemporaryDirectory() as folder:
        # The page's server waits for connections in reserve when it stops.
        browser = Firefox(
            port=0,
            bin=shutil.which("firefox-esr"),
            headless=True,
            gecko_log=folder,
            prefs={"network.http.speculative-parallel-limit": 0},
        )
        try:
            browser.start_session()
            yield browser
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
        with WebKit(options, service) as browser:
            yield browser
    finally:
        screen.terminate()
        screen.communicate()


@contextlib.contextmanager
def open_page(engine):
    """Start a browser, which knows nobody, and give the page that it shows."""
    open_browser = {"firefox": open_firefox, "webkit": open_webkit}[engine]
    with open_browser() as browser:
        yield Page(browser)
