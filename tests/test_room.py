"""
A room: three machines on one network without internet, each in a network namespace.

Two people open in their browsers the address that the program prints, and nothing else.

"""

import asyncio
import os
import re
import subprocess
import sys

import pytest
from playwright.async_api import async_playwright, expect

from conftest import BROWSER, BROWSER_OPTIONS
from helpers import RED_WINS, TIMEOUT, execute
from people import see, take_turns

# A switch in the namespace of the server, and a cable to each of the others.
ROOM = """
set -e
ip netns add {p}server
ip -n {p}server link set lo up
ip -n {p}server link add wlan0 type bridge
ip -n {p}server addr add 192.168.77.1/24 dev wlan0
ip -n {p}server link set wlan0 up
for name in laptop phone; do
    ip netns add {p}$name
    ip -n {p}$name link set lo up
    ip -n {p}server link add $name type veth peer name eth0 netns {p}$name
    ip -n {p}server link set $name master wlan0 up
    number=$((number + 1))
    ip -n {p}$name addr add 192.168.77.$((number + 1))/24 dev eth0
    ip -n {p}$name link set eth0 up
done
"""


def run(script):
    return subprocess.run(["sh", "-c", script], capture_output=True, text=True)


@pytest.fixture
def room():
    """The prefix of the names of three namespaces, on one network."""
    prefix = f"c4-{os.getpid()}-"
    made = run(ROOM.format(p=prefix))
    if made.returncode == 0:
        yield prefix
    for name in ("server", "laptop", "phone"):
        run(f"ip netns del {prefix}{name}")
    if made.returncode:
        advice = f"only root can make networks, with ip: {made.stderr.strip()}"
        if os.environ.get("CI") and os.geteuid() == 0:
            pytest.fail(advice)
        pytest.skip(advice)


@pytest.fixture
async def address(room):
    """The address that the program prints, on the server's machine."""
    command = ["ip", "netns", "exec", f"{room}server", sys.executable, "app.py"]
    process = await execute(*command, "8000", "--games", ":memory:")
    async with asyncio.timeout(TIMEOUT):
        text = (await process.stdout.readuntil(b"Ctrl-C stops.\n")).decode()
    (address,) = re.findall(r"On this network: +(http://\S+)", text)
    yield address
    process.terminate()
    await process.communicate()


@pytest.fixture
async def open_on(browser, room, tmp_path):
    """A function that opens a page in the browser of a machine, and returns it."""
    browsers = []
    async with async_playwright() as playwright:

        async def open_on(machine, url):
            wrapper = tmp_path / machine
            wrapper.write_text(
                f'#!/bin/sh\nexec ip netns exec {room}{machine} {BROWSER} "$@"\n'
            )
            wrapper.chmod(0o755)
            browsers.append(
                await playwright.chromium.launch(
                    executable_path=wrapper, args=BROWSER_OPTIONS
                )
            )
            page = await browsers[-1].new_page(reduced_motion="reduce")
            await page.goto(url)
            return page

        yield open_on
        for started in browsers:
            await started.close()


async def test_printed_address_or_link_and_one_tap_lead_to_a_game(address, open_on):
    assert address == "http://192.168.77.1:8000/"
    # The server's own page shows a link that works on other machines.
    red = await open_on("server", "http://localhost:8000/")
    link = red.locator(".invitation a")
    await expect(link).to_have_attribute("href", re.compile(re.escape(address)))
    yellow = await open_on("laptop", address)
    await yellow.get_by_role("link", name="Play", exact=True).click()
    await see(yellow, said="You are yellow.")
    spectator = await open_on("phone", await link.get_attribute("href"))
    # Who has no code yet types what stands on the card.
    assert spectator.url == await link.get_attribute("href")
    await take_turns(red, yellow, RED_WINS)
    await see(red, yellow, spectator, moves=RED_WINS, sentence="Four in a row!")
