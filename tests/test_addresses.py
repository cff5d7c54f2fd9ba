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
HOTSPOT = """
ip tuntap add hotspot mode tap
ip addr add 192.168.4.1/24 dev hotspot
ip link set hotspot up
"""
CABLE = """
ip tuntap add cable mode tap
ip addr add 10.0.0.7/8 dev cable
ip link set cable up
"""
PUBLIC = """
ip tuntap add aaa mode tap
ip addr add 93.184.215.5/24 dev aaa
ip link set aaa up
ip route add default via 93.184.215.1
"""
TUNNEL = """
ip tuntap add aaa mode tun
ip addr add 10.8.0.2 peer 10.8.0.1 dev aaa
ip link set aaa up
ip route add default dev aaa
ip route add 0.0.0.0/1 dev aaa
ip route add 128.0.0.0/1 dev aaa
"""
ASLEEP = """
ip tuntap add asleep mode tap
ip addr add 192.168.9.9/24 dev asleep
"""
NO_LEASE = """
ip tuntap add aaa mode tap
ip addr add 169.254.7.7/16 dev aaa
ip link set aaa up
"""
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


async def find(network, *listening):
    """Return the addresses that are found in a network, and their interfaces."""
    command = command_in(network, sys.executable, "-c", FIND, *listening)
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


HOTSPOT_FOUND = "hotspot", "192.168.4.1"
CABLE_FOUND = "cable", "10.0.0.7"
TUNNEL_FOUND = "aaa", "10.8.0.2"
GLOBAL_FOUND = "hotspot", "2001:db8:4::1"


@pytest.mark.parametrize(
    ("network", "found"),
    [
        ("", []),
        (ASLEEP, []),
        (HOTSPOT, [HOTSPOT_FOUND]),
        (HOTSPOT + ASLEEP, [HOTSPOT_FOUND]),
        (HOTSPOT + "ip link set hotspot name wlan0", [("wlan0", "192.168.4.1")]),
        (TUNNEL, [TUNNEL_FOUND]),
        (TUNNEL + HOTSPOT, [HOTSPOT_FOUND, TUNNEL_FOUND]),
        (PUBLIC + HOTSPOT, [HOTSPOT_FOUND, ("aaa", "93.184.215.5")]),
        (NO_LEASE + HOTSPOT, [HOTSPOT_FOUND, ("aaa", "169.254.7.7")]),
        (HOTSPOT + GLOBAL, [HOTSPOT_FOUND, GLOBAL_FOUND]),
        (TUNNEL + HOTSPOT + GLOBAL, [HOTSPOT_FOUND, TUNNEL_FOUND, GLOBAL_FOUND]),
    ],
    ids=[
        *("no network", "interface that is down", "hotspot", "only what is up"),
        *("other name", "nothing but a tunnel", "tunnel last", "private first"),
        *("no lease last", "IPv6 after IPv4", "IPv6 after tunnel"),
    ],
)
async def test_addresses_at_which_others_reach_the_server_are_found(network, found):
    assert await find(network, *ALL) == found


async def test_all_private_networks_are_told():
    assert {*await find(HOTSPOT + CABLE, *ALL)} == {HOTSPOT_FOUND, CABLE_FOUND}


@pytest.mark.parametrize(
    ("listening", "found"),
    [
        (["0.0.0.0"], [HOTSPOT_FOUND]),
        (["::"], [GLOBAL_FOUND]),
        (["127.0.0.1"], []),
        (["127.0.0.1", "::1"], []),
        (["192.168.4.1"], [(None, "192.168.4.1")]),
    ],
    ids=lambda value: ",".join(value) if value and isinstance(value[0], str) else "",
)
async def test_only_what_the_server_listens_on_is_told(listening, found):
    assert await find(HOTSPOT + GLOBAL, *listening) == found


# The program


async def test_program_tells_only_localhost_where_there_is_no_network():
    async with running_in("") as lines:
        assert lines == [("machine", "http://localhost:8000/", "")]


async def test_program_names_no_interface_where_there_is_only_one():
    async with running_in(HOTSPOT) as lines:
        assert lines == [
            ("machine", "http://localhost:8000/", ""),
            ("network", "http://192.168.4.1:8000/", ""),
        ]


async def test_program_names_the_interfaces_where_there_are_several():
    async with running_in(TUNNEL + HOTSPOT + GLOBAL) as lines:
        assert lines == [
            ("machine", "http://localhost:8000/", ""),
            ("network", "http://192.168.4.1:8000/", "hotspot"),
            ("network", "http://10.8.0.2:8000/", "aaa"),
            ("network", "http://[2001:db8:4::1]:8000/", "hotspot"),
        ]


@pytest.mark.parametrize(
    ("address", "host"), [("0.0.0.0", "192.168.4.1"), ("::", "[2001:db8:4::1]")]
)
async def test_program_tells_the_addresses_of_one_family(address, host):
    async with running_in(HOTSPOT + GLOBAL, "--bind", address) as lines:
        assert [url for _, url, _ in lines] == [
            "http://localhost:8000/",
            f"http://{host}:8000/",
        ]


async def test_program_tells_the_address_that_was_given_and_no_other():
    async with running_in(HOTSPOT + CABLE, "--bind", "10.0.0.7") as lines:
        assert lines == [("network", "http://10.0.0.7:8000/", "")]


# Where the system doesn't tell


@pytest.mark.parametrize("system", ["no ioctl", "other system"])
async def test_address_is_found_by_the_route_where_there_is_nothing_else(
    system, monkeypatch
):
    code = {
        "no ioctl": "sys.modules['fcntl'] = None",
        "other system": "sys.platform = 'sunos5'",
    }[system]
    hidden = FIND.replace("import json, sys\n", f"import json, sys\n{code}\n")
    route = HOTSPOT + "ip route add default via 192.168.4.2"
    command = command_in(route, sys.executable, "-c", hidden, "0.0.0.0")
    status, output, errors = await result(await execute(*command))
    assert (status, errors) == (0, "")
    assert json.loads(output) == [[None, "192.168.4.1"]]


def test_system_is_not_asked_while_there_are_too_many_open_files(monkeypatch):
    def fail(*_):
        raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))

    monkeypatch.setattr(addresses.socket, "socket", fail)
    assert addresses.ask("lo", 0) is None
