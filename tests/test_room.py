"""A room: two machines on one network without internet, in network namespaces."""

import os
import re
import subprocess
import sys

import pytest
from playwright.async_api import async_playwright

from conftest import BROWSER, BROWSER_OPTIONS
from helpers import HERE, RED_WINS
from people import see, start, take_turns

# A cable from the server to a laptop. Without IPv6, as its addresses come late, and
# Chromium drops what it loads when some come.
ROOM = """
set -e
ip netns add {p}server
ip netns add {p}laptop
for name in {p}server {p}laptop; do
    set="echo 1 >/proc/sys/net/ipv6/conf/default/disable_ipv6"
    ip netns exec $name sh -c "$set" || true
    ip -n $name link set lo up
done
ip -n {p}server link add wlan0 type veth peer name eth0 netns {p}laptop
ip -n {p}server addr add 192.168.77.1/24 dev wlan0
ip -n {p}server link set wlan0 up
ip -n {p}laptop addr add 192.168.77.2/24 dev eth0
ip -n {p}laptop link set eth0 up
"""


@pytest.fixture
def room(browser):
    """The prefix of the names of two namespaces, on one network."""
    prefix = f"c4-{os.getpid()}-"
    status, text = subprocess.getstatusoutput(ROOM.format(p=prefix))
    if status == 0:
        yield prefix
    for name in ("server", "laptop"):
        subprocess.getoutput(f"ip netns del {prefix}{name}")
    if status and os.environ.get("CI") and os.geteuid() == 0:
        pytest.fail(text)
    if status:
        pytest.skip(f"only root can make networks, with ip: {text}")


async def test_printed_address_and_one_tap_lead_to_a_game(room, launch, tmp_path):
    server = f"ip netns exec {room}server {sys.executable} {HERE / 'app.py'}".split()
    program = await launch(command=server, bind=None, port=8000)
    (address,) = re.findall(r"On this network: +(http://\S+)", program.text)
    assert address == "http://192.168.77.1:8000/"
    async with async_playwright() as playwright:

        async def open_on(machine="server", url="http://localhost:8000/"):
            """Open a page in the browser of a machine."""
            path = tmp_path / machine
            command = f"ip netns exec {room}{machine} {BROWSER}"
            path.write_text(f'#!/bin/sh\nexec {command} "$@"\n')
            path.chmod(0o755)
            browser = await playwright.chromium.launch(
                executable_path=path, args=BROWSER_OPTIONS
            )
            page = await browser.new_page(reduced_motion="reduce")
            await page.goto(url)
            return page

        # The server's own page shows a link that works on other machines.
        red, join, _ = await start(open_on)
        assert join.startswith(address)
        yellow = await open_on("laptop", address)
        await yellow.click("a.play")
        await take_turns(red, yellow, RED_WINS)
        await see(red, yellow, moves=RED_WINS, sentence="Four in a row!")
