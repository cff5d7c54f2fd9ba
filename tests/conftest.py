"""
What the tests have in common.

The policy, for all of them: real servers and real sockets, on loopback and on
ports that the system chooses. Clients close first, then the server. Whatever
is awaited comes within ``TIMEOUT`` or the test fails; nobody sleeps. When a
test is over, no game, no traceback and no key may be left behind.

"""

import asyncio
import contextlib
import io
import logging
import os
import re
import shutil
import sys

import pytest

pytest.register_assert_rewrite("helpers", "people", "stories")
try:
    import helpers
except ImportError:  # The tests of the rules don't need what the server does.
    helpers = None

# Chromium, without what it would like to fetch from the internet. The headless
# shell is the same engine without windows, which take most of a test's time.
BROWSERS = ["chromium-headless-shell", "chromium", "google-chrome"]
BROWSER = next(filter(None, map(shutil.which, BROWSERS)), None)
BROWSER_OPTIONS = [
    "--no-sandbox",
    "--disable-gpu",
    # For proxies with TLS. Playwright's way fails when many files are loaded at once.
    "--ignore-certificate-errors",
    "--disable-quic",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
]


@pytest.fixture
async def site():
    """The page and the games, live; no match may have anybody at the end."""
    site = helpers.Site()
    await site.start()
    yield site
    await site.stop()
    helpers.forget_all()


@pytest.fixture
async def server(monkeypatch, site):
    """The same for clients without a page. Presence is announced without delay."""
    helpers.app.UNTOLD.clear()
    monkeypatch.setattr(helpers.app, "PRESENCE_INTERVAL", 0)
    server = helpers.Server(site.server)
    yield server
    await asyncio.gather(*(client.close() for client in server.clients))


@pytest.fixture
async def launch():
    """Start the program, and wait until it says that it is ready."""
    programs = []

    async def launch(
        command=(sys.executable, helpers.HERE / "app.py"),
        bind="127.0.0.1",
        games=":memory:",
        port=None,
        cwd=helpers.HERE,
    ):
        port = port or helpers.free_port()
        options = {"--bind": bind, "--games": games}.items()
        given = [part for option in options if option[1] for part in option]
        process = await helpers.execute(*command, port, *given, cwd=cwd)
        programs.append(program := helpers.Program(process, port))
        async with asyncio.timeout(helpers.TIMEOUT):
            text = await process.stdout.readuntil(b"Ctrl-C stops.\n")
        program.text = text.decode()
        return program

    yield launch
    for program in programs:
        for client in program.clients:
            client.vanish()
        if program.process.returncode is None:
            program.process.kill()
        print(*await program.process.communicate())


@pytest.fixture(autouse=True)
def log():
    """The log of the server, in which no traceback and no key may stand."""
    # The clients of the tests may well log what they receive.
    logging.getLogger("websockets.client").setLevel(logging.INFO)
    logging.getLogger().setLevel(logging.DEBUG)
    handler = logging.StreamHandler(text := io.StringIO())
    logging.getLogger().addHandler(handler)
    yield text
    logging.getLogger().removeHandler(handler)
    assert "Traceback" not in text.getvalue()
    keys = helpers.KEYS if helpers else ()
    assert not [key for key in keys if key in text.getvalue()]


@pytest.fixture(scope="session")
async def browser():
    """A browser for all tests."""
    if BROWSER is None:
        advice = "no browser: install one, on Debian with apt install chromium"
        (pytest.fail if os.environ.get("CI") else pytest.skip)(advice)
    from playwright.async_api import async_playwright

    async with async_playwright() as playwright:
        options = {"executable_path": BROWSER, "args": BROWSER_OPTIONS}
        async with await playwright.chromium.launch(**options) as browser:
            yield browser


@pytest.fixture(scope="session")
async def modules(browser):
    """A page that has the page's modules and is told stories, all of them in turn."""
    from stories import open_stage

    async with await browser.new_page(reduced_motion="reduce") as page:
        await open_stage(page)
        yield page


@pytest.fixture
async def stage(browser):
    """A function that opens a page of one's own, which is told stories (stories.py)."""
    from stories import open_stage

    problems = []

    async def stage(width=1366, height=768, **options):
        size = {"width": width, "height": height}
        options = {"reduced_motion": "reduce", "viewport": size, **options}
        page = await pages.enter_async_context(await browser.new_page(**options))
        page.set_default_timeout(helpers.TIMEOUT * 1000)
        page.on("pageerror", lambda error: problems.append(str(error)))
        await open_stage(page)
        return page

    async with contextlib.AsyncExitStack() as pages:
        yield stage
    assert problems == []


@pytest.fixture
async def open_page(browser, site):
    """A function that gives somebody a browser, and opens a page without problems."""
    from playwright.async_api import expect

    expect.set_options(timeout=helpers.TIMEOUT * 1000)
    problems = []

    def handle_console(message):
        # The browser itself reports when it can't connect, or isn't allowed to.
        theirs = "WebSocket|Content Security Policy|net::ERR_"
        if message.type == "error" and not re.search(theirs, message.text):
            problems.append(message.text)

    async def open_page(url=None, *, script="", **options):
        # Nobody looks at the animations, but they would have to be drawn.
        options = {"reduced_motion": "reduce", **options}
        context = await contexts.enter_async_context(
            await browser.new_context(**options)
        )
        context.set_default_timeout(helpers.TIMEOUT * 1000)
        context.on("weberror", lambda error: problems.append(str(error.error)))
        context.on("console", handle_console)
        page = await context.new_page()
        if script:
            await page.add_init_script(script)
        await page.goto(url or site.url)
        return page

    async with contextlib.AsyncExitStack() as contexts:
        yield open_page
    assert problems == []


@pytest.fixture
async def match(site, open_page):
    """A match on the wire, at which a test opens pages."""
    from people import Match

    match = Match(site, open_page)
    yield match
    await asyncio.gather(*(client.close() for client in match.server.clients))
