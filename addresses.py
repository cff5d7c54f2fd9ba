"""
The addresses at which people reach this machine, and how they are told.

The way to the internet says little about them: there may be none, in a room with
nothing but a hotspot or a cable, and it may lead through a tunnel.

"""

import contextlib
import ipaddress
import pathlib
import socket
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
UP, POINT_TO_POINT = 0x1, 0x10  # flags, in <net/if.h>

# Where Linux lists the IPv6 addresses of all interfaces.
IPV6_ADDRESSES = pathlib.Path("/proc/net/if_inet6")

# Connecting a UDP socket sends nothing, but chooses an address of this machine. These
# are reserved for documentation (RFC 5737, RFC 3849), so never on this network.
ELSEWHERE = {4: (socket.AF_INET, "198.51.100.1"), 6: (socket.AF_INET6, "2001:db8::1")}


def find_addresses(listening):
    """
    Return the addresses at which other machines reach a server, the best first.

    ``listening`` are the addresses that it listens on. Each that is returned comes
    with the name of its interface, or :obj:`None` where the system doesn't tell it.

    """
    found = []
    everywhere = [each for each in find_by_interface() if not each[1].is_loopback]
    for address in map(ipaddress.ip_address, listening):
        if address.is_unspecified:
            family = [each for each in everywhere if each[1].version == address.version]
            found += family or find_by_route(address.version)
        elif not address.is_loopback:
            found.append((None, address, False))
    return [(name, str(address)) for name, address, _ in sorted(found, key=rank)]


def rank(found):
    """Return by what addresses are sorted: IPv4, private ones first, tunnels last."""
    _, address, is_tunnel = found
    return address.version, is_tunnel, address.is_link_local, not address.is_private


def find_by_interface():
    """Yield an interface's name, an address of it, and whether that's in a tunnel."""
    with contextlib.suppress(OSError):
        if fcntl is None:
            for host in socket.gethostbyname_ex(socket.gethostname())[2]:
                yield None, ipaddress.ip_address(host), False
        elif sys.platform in QUESTIONS:
            for _, name in socket.if_nameindex():
                yield from find_ipv4(name, QUESTIONS[sys.platform])
            for line in IPV6_ADDRESSES.read_text().splitlines():
                digits, *_, name = line.split()
                address = ipaddress.ip_address(bytes.fromhex(digits))
                if not address.is_link_local:
                    yield name, address, False


def find_ipv4(name, questions):
    """Yield the same for the IPv4 address of one interface, if it's up."""
    request = name.encode().ljust(256, b"\0")
    # It may have gone meanwhile, or have no IPv4 address.
    with contextlib.suppress(OSError):
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
            address, flags = (fcntl.ioctl(sock, each, request) for each in questions)
            flags = int.from_bytes(flags[16:18], sys.byteorder)
            if flags & UP:
                address = ipaddress.ip_address(address[20:24])
                yield name, address, flags & POINT_TO_POINT


def find_by_route(version):
    """Yield the address from which this machine would send something elsewhere."""
    family, elsewhere = ELSEWHERE[version]
    with contextlib.suppress(OSError):
        with socket.socket(family, socket.SOCK_DGRAM) as udp:
            udp.connect((elsewhere, 9))
            yield None, ipaddress.ip_address(udp.getsockname()[0]), False


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
