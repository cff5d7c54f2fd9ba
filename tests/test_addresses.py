"""Tests of the addresses that are told, on networks that the tests make."""

import os
import sys

import pytest

from helpers import execute, result

# Networks, as ip sets them up: a "tap" is like a network card, a "tun" like a tunnel.
# "nodad" lets an address be used at once.
DEVICE = """
ip tuntap add {name} mode {mode}
ip addr add {address} dev {name}
ip link set {name} up
"""
HOTSPOT = DEVICE.format(name="hotspot", mode="tap", address="192.168.4.1/24")
CABLE = DEVICE.format(name="cable", mode="tap", address="10.0.0.7/8")
NO_LEASE = DEVICE.format(name="aaa", mode="tap", address="169.254.7.7/16")
ASLEEP = HOTSPOT.replace(" up", " down").replace("hotspot", "asleep")
BARE = "ip tuntap add bare mode tap\nip link set bare up\n"
PUBLIC = DEVICE.format(name="aaa", mode="tap", address="93.184.215.5/24")
PUBLIC += "ip route add default via 93.184.215.1\n"
TUNNEL = DEVICE.format(name="aaa", mode="tun", address="10.8.0.2 peer 10.8.0.1")
TUNNEL += "ip route add default dev aaa\n"
TUNNEL += "ip route add 0.0.0.0/1 dev aaa\nip route add 128.0.0.0/1 dev aaa\n"
IPV6 = "ip -6 addr add fe80::7/64 dev hotspot nodad\n"
IPV6 += "ip -6 addr add 2001:db8:4::1/64 dev hotspot nodad\n"

TELL = """
import sys
from addresses import find_addresses, print_addresses
print_addresses(sys.argv[1:], find_addresses(sys.argv[1:]), 8000)
"""


async def run_in(network, code, *arguments):
    """Run Python in a network; return its exit status, and what it wrote where."""
    shell = f'set -e\nip link set lo up\n{network}\nexec "$@"'
    command = *("env", "unshare", "-n", "sh", "-c", shell, "sh"), sys.executable
    return await result(await execute(*command, "-c", code, *arguments))


@pytest.fixture(scope="module", autouse=True)
async def _networks():
    """Only root can make networks."""
    status, _, errors = await run_in(HOTSPOT, "")
    if status:
        advice = f"only root can make networks, by unshare and ip: {errors.strip()}"
        end = os.environ.get("CI") and os.geteuid() == 0
        (pytest.fail if end else pytest.skip)(advice)


# What is set up, what the server listens on, and where the page can be opened then, the
# best address first. The interfaces are named where there are several.
LOCAL, MINE, FIRST = "localhost", "192.168.4.1", "192.168.4.1 (hotspot)"
IN_TUNNEL, GLOBAL = "10.8.0.2 (aaa)", "[2001:db8:4::1] (hotspot)"
ALL = "0.0.0.0", "::"
TOLD = {
    "no network": ("", ALL, [LOCAL]),
    "down": (ASLEEP, ALL, [LOCAL]),
    "no address": (BARE, ALL, [LOCAL]),
    "best alone": (HOTSPOT + ASLEEP + BARE, ALL, [LOCAL, MINE]),
    "nothing but a tunnel": (TUNNEL, ALL, [LOCAL, "10.8.0.2"]),
    "private first": (PUBLIC + HOTSPOT, ALL, [LOCAL, FIRST, "93.184.215.5 (aaa)"]),
    "no lease last": (NO_LEASE + HOTSPOT, ALL, [LOCAL, FIRST, "169.254.7.7 (aaa)"]),
    "all private ones": (HOTSPOT + CABLE, ALL, [LOCAL, FIRST, "10.0.0.7 (cable)"]),
    "IPv6 last": (TUNNEL + HOTSPOT + IPV6, ALL, [LOCAL, FIRST, IN_TUNNEL, GLOBAL]),
    "IPv4 only": (HOTSPOT + IPV6, ALL[:1], [LOCAL, MINE]),
    "IPv6 only": (HOTSPOT + IPV6, ALL[1:], [LOCAL, "[2001:db8:4::1]"]),
    "loopback": (HOTSPOT, ["127.0.0.1", "::1"], ["127.0.0.1"]),
    "one of two": (HOTSPOT + CABLE, ["192.168.4.1"], [MINE]),
}


@pytest.mark.parametrize(("network", "listening", "told"), TOLD.values(), ids=TOLD)
async def test_page_is_told_to_be_where_others_reach_the_server(
    network, listening, told
):
    expected = ""
    for host, _, name in (place.partition(" ") for place in told):
        where = "machine" if host in (LOCAL, "127.0.0.1") else "network"
        name = name and f"    {name}"
        expected += f"On this {where}:    http://{host}:8000/{name}\n\n"
    assert await run_in(network, TELL, *listening) == (0, expected, "")


# Systems that don't tell their addresses.
SILENT = {
    "no ioctl": "import sys; sys.modules['fcntl'] = None",
    "other system": "import sys; sys.platform = 'sunos5'",
}


@pytest.mark.parametrize("code", SILENT.values(), ids=SILENT)
async def test_address_is_found_by_the_route_where_there_is_nothing_else(code):
    route = HOTSPOT + "ip route add default via 192.168.4.2"
    status, output, errors = await run_in(route, code + TELL, "0.0.0.0")
    assert (status, errors) == (0, "")
    assert "On this network:    http://192.168.4.1:8000/\n\n" in output
