"""Tests of the addresses that are told, on networks that the tests make."""

import asyncio
import contextlib
import errno
import json
import os
import re
import shutil
import sys

import pytest

import addresses
from helpers import HERE, TIMEOUT, execute, result

# In a network of its own: set it up, as the first argument says, and tell what the
# program makes of it.
IN_A_NETWORK = """
set -e
ip link set lo up
eval "$1"
shift
exec "$@"
"""

FIND = f"""
import json, sys
sys.path.insert(0, {str(HERE)!r})
import addresses
print(json.dumps(addresses.find_addresses(sys.argv[1:])))
"""

ALL = "0.0.0.0", "::"

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
ASLEEP = DEVICE.format(name="asleep", mode="tap", address="192.168.9.9/24")
ASLEEP += "ip link set asleep down\n"
PUBLIC = DEVICE.format(name="aaa", mode="tap", address="93.184.215.5/24")
PUBLIC += "ip route add default via 93.184.215.1\n"
TUNNEL = DEVICE.format(name="aaa", mode="tun", address="10.8.0.2 peer 10.8.0.1")
TUNNEL += "ip route add default dev aaa\n"
TUNNEL += "ip route add 0.0.0.0/1 dev aaa\nip route add 128.0.0.0/1 dev aaa\n"
GLOBAL = """
ip -6 addr add fe80::7/64 dev hotspot nodad
ip -6 addr add 2001:db8:4::1/64 dev hotspot nodad
"""


@pytest.fixture(scope="module", autouse=True)
async def _networks():
    """Only root can make networks."""
    advice = None
    if shutil.which("unshare") is None or shutil.which("ip") is None:
        advice = "no unshare or ip: on Debian, apt install util-linux iproute2"
    else:
        command = ["unshare", "-n", "sh", "-c", IN_A_NETWORK, "sh", HOTSPOT, "true"]
        status, _, errors = await result(await execute(*command))
        if status:
            advice = f"only root can make networks: {errors.strip()}"
    if advice and os.environ.get("CI") and os.geteuid() == 0:
        pytest.fail(advice)
    if advice:
        pytest.skip(advice)


def command_in(network, *command):
    """Return the command that runs another one in a network."""
    return ["unshare", "-n", "sh", "-c", IN_A_NETWORK, "sh", network, *command]


async def find(network, *listening, code=""):
    """Return the addresses that are found in a network, and their interfaces."""
    command = command_in(network, sys.executable, "-c", code + FIND, *listening)
    status, output, errors = await result(await execute(*command))
    assert (status, errors) == (0, "")
    return [(name, address) for name, address in json.loads(output)]


@contextlib.asynccontextmanager
async def running_in(network, *options):
    """Run the program in a network; give what it prints."""
    command = [sys.executable, "app.py", "8000", "--games", ":memory:", *options]
    process = await execute(*command_in(network, *command))
    try:
        async with asyncio.timeout(TIMEOUT):
            text = (await process.stdout.readuntil(b"Ctrl-C stops.\n")).decode()
        yield re.findall(r"^On this (.*):    (\S+)(?:    \((.*)\))?$", text, re.M)
        process.terminate()
        assert await result(process) == (0, "", "")
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


# What is set up, and which addresses are found, the best first.
HERE_ON = "hotspot", "192.168.4.1"
IN_TUNNEL = "aaa", "10.8.0.2"
BY_IPV6 = "hotspot", "2001:db8:4::1"
FOUND = {
    "no network": ("", []),
    "interface that is down": (ASLEEP, []),
    "hotspot, and one that is down": (HOTSPOT + ASLEEP, [HERE_ON]),
    "nothing but a tunnel": (TUNNEL, [IN_TUNNEL]),
    "tunnel last": (TUNNEL + HOTSPOT, [HERE_ON, IN_TUNNEL]),
    "private first": (PUBLIC + HOTSPOT, [HERE_ON, ("aaa", "93.184.215.5")]),
    "no lease last": (NO_LEASE + HOTSPOT, [HERE_ON, ("aaa", "169.254.7.7")]),
    "all private ones": (HOTSPOT + CABLE, [HERE_ON, ("cable", "10.0.0.7")]),
    "IPv6 last": (TUNNEL + HOTSPOT + GLOBAL, [HERE_ON, IN_TUNNEL, BY_IPV6]),
}


@pytest.mark.parametrize(("network", "found"), FOUND.values(), ids=FOUND)
async def test_addresses_at_which_others_reach_the_server_are_found(network, found):
    assert await find(network, "0.0.0.0", "::") == found


# What the server listens on, and what is told of that.
LISTENING = [
    (["0.0.0.0"], [HERE_ON]),
    (["::"], [BY_IPV6]),
    (["127.0.0.1", "::1"], []),
    (["192.168.4.1"], [(None, "192.168.4.1")]),
]


@pytest.mark.parametrize(("listening", "found"), LISTENING)
async def test_only_what_the_server_listens_on_is_told(listening, found):
    assert await find(HOTSPOT + GLOBAL, *listening) == found


# Systems that don't tell their addresses.
SILENT = {
    "no ioctl": "import sys; sys.modules['fcntl'] = None",
    "other system": "import sys; sys.platform = 'sunos5'",
}


@pytest.mark.parametrize("code", SILENT.values(), ids=SILENT)
async def test_address_is_found_by_the_route_where_there_is_nothing_else(code):
    route = HOTSPOT + "ip route add default via 192.168.4.2"
    assert await find(route, "0.0.0.0", code=code) == [(None, "192.168.4.1")]


def test_system_is_not_asked_while_there_are_too_many_open_files(monkeypatch):
    def fail(*_):
        raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))

    monkeypatch.setattr(addresses.socket, "socket", fail)
    assert addresses.ask("lo", 0) is None


# The program in a network, by its options, and where the page can be opened by what
# it prints. It names the interfaces where there are several.
PRINTED = [
    ("", [], ["localhost"]),
    (HOTSPOT, [], ["localhost", "192.168.4.1"]),
    (HOTSPOT + GLOBAL, ["--bind", "::"], ["localhost", "[2001:db8:4::1]"]),
    (HOTSPOT + CABLE, ["--bind", "10.0.0.7"], ["10.0.0.7"]),
    (
        TUNNEL + HOTSPOT + GLOBAL,
        [],
        ["localhost", "192.168.4.1", "10.8.0.2", "[2001:db8:4::1]"],
    ),
]


@pytest.mark.parametrize(("network", "options", "hosts"), PRINTED)
async def test_program_prints_where_the_page_can_be_opened(network, options, hosts):
    async with running_in(network, *options) as lines:
        assert [url for _, url, _ in lines] == [
            f"http://{host}:8000/" for host in hosts
        ]
    names = [name for where, _, name in lines if where == "network"]
    assert names == (
        ["hotspot", "aaa", "hotspot"] if len(names) > 1 else [""] * len(names)
    )
    assert [where for where, _, _ in lines].count("machine") == hosts.count("localhost")
