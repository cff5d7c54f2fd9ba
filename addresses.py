"""
The addresses at which people reach this machine, and how they are told.

The way to the internet says little about them: there may be none, in a room with
nothing but a hotspot or a cable, and it may lead through a tunnel.

"""

import contextlib
import ipaddress
import pathlib
import socket
import struct
import sys

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None

# What an interface is asked by ioctl(): its address, and its flags (SIOCGIFADDR and
# SIOCGIFFLAGS in <sys/sockio.h> and <linux/sockios.h>).
QUESTIONS = {
    "darwin": (0xC0206921, 0xC0206911),
    "linux": (0x8915, 0x8913),
}
UP, LOOPBACK, POINT_TO_POINT = 0x1, 0x8, 0x10  # flags, in <net/if.h>

# A file in which Linux lists the IPv6 addresses of all interfaces.
IPV6_ADDRESSES = pathlib.Path("/proc/net/if_inet6")

# Connecting a UDP socket sends nothing, but chooses an address of this machine. These
# are reserved for documentation (RFC 5737, RFC 3849), so never on this network.
ELSEWHERE = {socket.AF_INET: "198.51.100.1", socket.AF_INET6: "2001:db8::1"}


def find_addresses(listening):
    """
    Return the addresses at which other machines reach a server, the best first.

    ``listening`` are the addresses that it listens on. Each that is returned comes
    with the name of its interface, or :obj:`None` where the system doesn't tell it.

    """
    addresses = []
    for address, family, find in (
        ("0.0.0.0", socket.AF_INET, find_ipv4),
        ("::", socket.AF_INET6, find_ipv6),
    ):
        if address in listening:
            found = [*find()] or [*find_by_route(family)]
            addresses += [
                (name, address) for name, address, _ in sorted(found, key=rank)
            ]
    given = map(ipaddress.ip_address, listening)
    addresses += [
        (None, str(address))
        for address in given
        if not address.is_unspecified and not address.is_loopback
    ]
    return addresses


def rank(found):
    """Return by what addresses are sorted: private networks first, tunnels last."""
    _, address, is_tunnel = found
    address = ipaddress.ip_address(address)
    return is_tunnel, address.is_link_local, not address.is_private


def find_ipv4():
    """Yield an interface's name, its IPv4 address, and whether it's a tunnel."""
    for name, flags in find_interfaces():
        if (answer := ask(name, 0)) is not None:
            yield name, socket.inet_ntoa(answer[20:24]), bool(flags & POINT_TO_POINT)
    if fcntl is None:
        with contextlib.suppress(OSError):
            for address in socket.gethostbyname_ex(socket.gethostname())[2]:
                if not ipaddress.ip_address(address).is_loopback:
                    yield None, address, False


def find_ipv6():
    """Yield the same for IPv6, where the system tells it."""
    interfaces = dict(find_interfaces())
    with contextlib.suppress(OSError):
        for line in IPV6_ADDRESSES.read_text().splitlines():
            digits, *_, name = line.split()
            address = ipaddress.IPv6Address(bytes.fromhex(digits))
            if name in interfaces and not address.is_link_local:
                is_tunnel = bool(interfaces[name] & POINT_TO_POINT)
                yield name, str(address), is_tunnel


def find_interfaces():
    """Yield the name and the flags of each interface that is up but the loopback."""
    with contextlib.suppress(OSError):
        for _, name in socket.if_nameindex():
            if (answer := ask(name, 1)) is not None:
                (flags,) = struct.unpack_from("H", answer, 16)
                if flags & UP and not flags & LOOPBACK:
                    yield name, flags


def ask(name, question):
    """Return what the system answers about an interface (struct ifreq), or None."""
    if fcntl is None or sys.platform not in QUESTIONS:
        return None
    request = name.encode().ljust(256, b"\0")
    with contextlib.suppress(OSError):
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
            return fcntl.ioctl(sock, QUESTIONS[sys.platform][question], request)
    return None


def find_by_route(family):
    """Yield the address from which this machine would send something elsewhere."""
    with contextlib.suppress(OSError):
        with socket.socket(family, socket.SOCK_DGRAM) as udp:
            udp.connect((ELSEWHERE[family], 9))
            yield None, udp.getsockname()[0], False


def url(address, port):
    """Return the address of the page (RFC 3986, section 3.2.2, about brackets)."""
    host = f"[{address}]" if ":" in address else address
    return f"http://{host}:{port}/"


def print_addresses(listening, addresses, port):
    """Print where the page can be opened, on this machine and on the network."""
    here = {"0.0.0.0": "localhost", "::": "localhost"}
    for address in listening:
        if address in here or ipaddress.ip_address(address).is_loopback:
            print(f"On this machine:    {url(here.get(address, address), port)}\n")
            break
    for name, address in addresses:
        interface = f"    ({name})" if name and len(addresses) > 1 else ""
        print(f"On this network:    {url(address, port)}{interface}\n")
