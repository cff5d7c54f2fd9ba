"""The page when the network, the server or a file fails: no move is lost."""

import re

from playwright.async_api import expect

from helpers import forget_all
from people import STOPPED, column, play, press, see


class Network:
    """The network between a page and the games."""

    fault = None  # "cut", or "dead" if nothing gets through to the server
    ends = ()

    async def accept(self, page_end):
        """Handle a new connection."""
        if self.fault == "cut":
            await page_end.close(code=3000)
        else:
            server_end = page_end.connect_to_server()
            page_end.on_message(lambda message: self.fault or server_end.send(message))
            self.ends = page_end, server_end

    async def cut(self):
        """End all connections, and new ones as soon as they come."""
        self.fault = "cut"
        for end in self.ends:
            await end.close(code=3000)  # which neither end knows


async def test_page_comes_through_at_last_and_loses_no_move(match):
    await match.begin(3)
    await match.leave("yellow")
    yellow, network = await match.open_page("about:blank"), Network()
    await yellow.route_web_socket(re.compile(""), network.accept)
    await network.cut()
    await yellow.goto(match.links["yellow"])
    where = f"127.0.0.1:{match.site.port}. A firewall may be why."
    await see(yellow, sentence=f"Still trying to reach {where}")
    network.fault = None
    await see(yellow, phase="turn")
    network.fault = "dead"
    await play(yellow, 2)
    await see(yellow, ghosts=1, sentence="Your turn")
    await expect(column(yellow, 4)).to_be_disabled()
    await network.cut()
    await see(yellow, ghosts=1, phase="reconnecting")
    network.fault = None
    await see(yellow, moves=[3, 2], ghosts=0)


async def test_game_is_gone_when_the_server_says_so(match, site):
    await match.begin(3, 3)
    red = await match.open("red")
    await site.stop()
    await see(red, sentence=STOPPED)
    # A click would lead to the browser's error page.
    await red.get_by_role("link", name="New game").dispatch_event("click")
    forget_all()
    await site.start()
    await see(red, sentence="This game is gone.")
    await press(red, "New game")
    await see(red, said="You are red.", phase="waiting")


async def test_first_connection_waits_until_somebody_looks(open_page, site):
    hide = """Object.defineProperty(document, "visibilityState",
        { get: () => (window.seen ? "visible" : "hidden") })"""
    page = await open_page("about:blank", script=hide)
    sockets = []
    page.on("websocket", lambda socket: sockets.append(socket))
    await page.goto(site.url)
    await see(page, sentence="Connecting…")
    assert sockets == []
    look = "window.seen = true; document.dispatchEvent(new Event('visibilitychange'))"
    await page.evaluate(look)
    await see(page, phase="waiting")


async def test_page_goes_on_without_a_module_or_says_how(open_page, site):
    page = await open_page("about:blank")
    for module in ("qrcode", "sound", "game"):
        await page.route(f"**/{module}.js", lambda route: route.abort())
    await page.goto(site.url)
    await expect(page.get_by_text("Loading…")).to_be_visible()
    await page.unroute("**/game.js")
    await page.get_by_role("link", name="reload the page").click()
    await see(page, phase="waiting")
    await column(page, 3).click()
    await see(page, moves=[3])
