"""
Firefox and WebKit, and the page in them.

Both take the commands of https://www.w3.org/TR/webdriver2/, which are said in two
ways: Firefox is told them over a socket, by its protocol Marionette; WebKit over
HTTP. Playwright drives neither of those that Debian has, so that a little of it
stands here once more.

"""

import asyncio
import contextlib
import itertools
import json
import os
import shutil
import signal
import tempfile
from pathlib import Path

from helpers import TIMEOUT, free_port

RETRY = 0.02  # seconds between attempts to reach a browser that is starting
START_TIMEOUT = 60  # seconds that this may take; without a cache it's slow
END_TIMEOUT = 2  # seconds that a program may take to end by itself

# The programs of an engine, and the packages of Debian that they are in.
PROGRAMS = {
    "firefox": {"firefox-esr": "firefox-esr"},
    "webkit": {"WebKitWebDriver": "webkit2gtk-driver", "Xvfb": "xvfb"},
}

# Where the commands are over HTTP.
PATHS = {
    "NewSession": "/session",
    "SetTimeouts": "/session/{session}/timeouts",
    "Navigate": "/session/{session}/url",
    "Refresh": "/session/{session}/refresh",
    "Back": "/session/{session}/back",
    "NewWindow": "/session/{session}/window/new",
    "SwitchToWindow": "/session/{session}/window",
    "CloseWindow": "/session/{session}/window",
    "FindElement": "/session/{session}/element",
    "ElementClick": "/session/{session}/element/{id}/click",
    "PerformActions": "/session/{session}/actions",
    "ExecuteAsyncScript": "/session/{session}/execute/async",
}

# The keys that no character stands for.
KEYS = {
    "Tab": "\ue004",
    "Enter": "\ue007",
    "Control": "\ue009",
    "ArrowLeft": "\ue012",
    "ArrowRight": "\ue014",
    "ArrowDown": "\ue015",
}

# The function is put into the script, as the page's policy forbids to evaluate it.
EVALUATE = """
    const args = Array.from(arguments);
    const done = args.pop();
    done((%s)(...args));
"""
UNTIL = """
    const args = Array.from(arguments);
    const done = args.pop();
    const observer = new MutationObserver(check);
    observer.observe(document, {
        subtree: true, childList: true, attributes: true, characterData: true,
    });
    // What keys do comes later than the answer to their command, in WebKit.
    const events = ["focusin", "input", "animationend"];
    events.forEach((type) => document.addEventListener(type, check));
    check();

    function check() {
        if ((%s)(...args)) {
            observer.disconnect();
            events.forEach((type) => document.removeEventListener(type, check));
            done(true);
        }
    }
"""


class Failure(Exception):
    """A command failed."""

    def __init__(self, value):
        self.error = value["error"]
        super().__init__(f"{self.error}: {value['message']}")


class Marionette:
    """Commands for Firefox: frames of JSON, with their length before them."""

    def __init__(self, reader, writer):
        self.reader = reader
        self.writer = writer
        self.numbers = itertools.count()

    async def receive(self):
        length = await self.reader.readuntil(b":")
        return json.loads(await self.reader.readexactly(int(length[:-1])))

    async def send(self, command, **parameters):
        number = next(self.numbers)
        message = json.dumps([0, number, f"WebDriver:{command}", parameters])
        self.writer.write(f"{len(message)}:{message}".encode())
        # A test that ran out of time may not have waited for its answer.
        while (answer := await self.receive())[1] != number:
            pass
        _, _, error, result = answer
        if error is not None:
            raise Failure(error)
        # Windows are a list of their own.
        return result.get("value", result) if isinstance(result, dict) else result


class HTTP:
    """Commands for WebKit: requests to its driver."""

    def __init__(self, port):
        self.port = port
        self.session = None

    async def send(self, command, **parameters):
        path = PATHS[command].format(session=self.session, **parameters)
        body = json.dumps(parameters).encode()
        method = "DELETE" if command == "CloseWindow" else "POST"
        head = [
            f"{method} {path} HTTP/1.1",
            f"Host: 127.0.0.1:{self.port}",
            "Connection: close",
            f"Content-Length: {len(body)}",
        ]
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        try:
            writer.write("\r\n".join([*head, "", ""]).encode() + body)
            status = await reader.readline()
            await reader.readuntil(b"\r\n\r\n")
            value = json.loads(await reader.read())["value"]
        finally:
            writer.close()
        if status.split()[1] != b"200":
            raise Failure(value)
        return value


class Page:
    """What somebody does with the page in a browser of their own, and sees there."""

    def __init__(self, driver):
        self.driver = driver

    async def send(self, command, **parameters):
        # A script has run out of its own time before.
        async with asyncio.timeout(2 * TIMEOUT):
            return await self.driver.send(command, **parameters)

    async def goto(self, url):
        await self.send("Navigate", url=url)

    async def reload(self):
        await self.send("Refresh")

    async def back(self):
        await self.send("Back")

    async def close_tab(self):
        """Close the tab, and go on in a new one."""
        tab = await self.send("NewWindow", type="tab")
        await self.send("CloseWindow")
        await self.send("SwitchToWindow", handle=tab["handle"])

    async def click(self, selector):
        """Click the first element that matches."""
        element = await self.send("FindElement", using="css selector", value=selector)
        (reference,) = element.values()
        await self.send("ElementClick", id=reference)

    async def press(self, *keys):
        """Press keys, each with the modifiers before it, as in "Control+v"."""
        actions = []
        for chord in keys:
            chord = [KEYS.get(key, key) for key in chord.split("+")]
            actions += [{"type": "keyDown", "value": key} for key in chord]
            actions += [{"type": "keyUp", "value": key} for key in reversed(chord)]
        keyboard = {"type": "key", "id": "keyboard", "actions": actions}
        await self.send("PerformActions", actions=[keyboard])

    async def text(self, selector):
        return await self.evaluate(
            "(selector) => document.querySelector(selector).textContent", selector
        )

    async def evaluate(self, function, *args):
        """Return what a function in JavaScript returns."""
        script = EVALUATE % function
        return await self.send("ExecuteAsyncScript", script=script, args=args)

    async def until(self, condition, *args):
        """Wait until a function in JavaScript returns something true."""
        script = UNTIL % condition
        while True:
            try:
                await self.send("ExecuteAsyncScript", script=script, args=args)
                return
            except Failure as failure:
                if failure.error == "script timeout":
                    text = await self.text("body")
                    raise AssertionError(f"{condition} of {args}: {text!r}") from None
                # After a click on a link, it's the next page that is meant.
                if "unload" not in str(failure):
                    raise


def missing(engine):
    """Return the packages of Debian without which an engine can't be started."""
    programs = PROGRAMS[engine].items()
    return [package for program, package in programs if shutil.which(program) is None]


def mini_browser():
    """Return the path of WebKit's own browser, which isn't where programs are."""
    return str(max(Path("/usr/lib").glob("*/webkit2gtk-4.*/MiniBrowser")))


@contextlib.asynccontextmanager
async def run(*command, home, stdout=asyncio.subprocess.DEVNULL, **environment):
    """Run a program, and in the end kill it with all that it has started."""
    inherited = {name: os.environ[name] for name in {"PATH", "LANG"} & {*os.environ}}
    process = await asyncio.create_subprocess_exec(
        *command,
        env={**inherited, "HOME": home, "XDG_RUNTIME_DIR": home, **environment},
        stdin=asyncio.subprocess.DEVNULL,
        stdout=stdout,
        stderr=asyncio.subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        yield process
    finally:
        # Asked first, Xvfb removes its socket and its lock, which aren't at home.
        with contextlib.suppress(ProcessLookupError, TimeoutError):
            process.terminate()
            await asyncio.wait_for(process.wait(), END_TIMEOUT)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        await process.communicate()


async def reach(process, port):
    """Connect to a program as soon as it listens."""
    while process.returncode is None:
        with contextlib.suppress(OSError):
            return await asyncio.open_connection("127.0.0.1", port)
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(process.wait(), RETRY)
    raise AssertionError(f"the browser ended with {process.returncode}")


def write_preferences(home, port):
    preferences = {
        "marionette.port": port,
        # The page's server waits for connections in reserve when it stops.
        "network.http.speculative-parallel-limit": 0,
    }
    lines = [f'user_pref("{name}", {value});' for name, value in preferences.items()]
    Path(home, "user.js").write_text("\n".join(lines), encoding="utf-8")


@contextlib.asynccontextmanager
async def open_firefox(home):
    port = free_port()
    write_preferences(home, port)
    command = ["firefox-esr", "--headless", "--marionette", "--profile", home]
    # Its reporter of crashes would live on, in a group of its own.
    async with run(*command, home=home, MOZ_CRASHREPORTER_DISABLE="1") as process:
        reader, writer = await reach(process, port)
        try:
            driver = Marionette(reader, writer)
            await driver.receive()  # its greeting
            await driver.send("NewSession")
            yield driver
        finally:
            writer.close()


@contextlib.asynccontextmanager
async def open_webkit(home):
    # It has no mode without windows. A screen of its own leaves it the focus.
    screen = ["Xvfb", "-displayfd", "1", "-nolisten", "tcp"]
    async with run(*screen, home=home, stdout=asyncio.subprocess.PIPE) as process:
        display = f":{int(await process.stdout.readline())}"
        port = free_port()
        command = ["WebKitWebDriver", f"--port={port}"]
        async with run(*command, home=home, DISPLAY=display) as process:
            _, writer = await reach(process, port)
            writer.close()
            driver = HTTP(port)
            options = {"binary": mini_browser(), "args": ["--automation"]}
            wanted = {"alwaysMatch": {"webkitgtk:browserOptions": options}}
            session = await driver.send("NewSession", capabilities=wanted)
            driver.session = session["sessionId"]
            yield driver


@contextlib.asynccontextmanager
async def open_browser(engine):
    """Start a browser, which knows nobody, and give the page that it shows."""
    open_driver = {"firefox": open_firefox, "webkit": open_webkit}[engine]
    async with contextlib.AsyncExitStack() as stack:
        # What was killed may be writing its last file.
        home = stack.enter_context(
            tempfile.TemporaryDirectory(ignore_cleanup_errors=True)
        )
        async with asyncio.timeout(START_TIMEOUT):
            page = Page(await stack.enter_async_context(open_driver(home)))
            limit = TIMEOUT * 1000
            await page.send("SetTimeouts", script=limit, pageLoad=limit)
        yield page
