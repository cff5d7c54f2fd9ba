"""
The proxy of the README, live: nginx, with TLS, in front of servers.

Its configuration is the README's, but for names, ports and paths. What stands
around it here stands around it on Debian, too.

"""

import asyncio
import contextlib
import http.client
import os
import re
import shlex
import shutil
import ssl
import subprocess

from helpers import KEYS, TIMEOUT, Server, execute, free_port, has_ipv6, result
from page import HERE

# Debian has it where only root looks for programs.
NGINX = shutil.which("nginx", path=f"{os.environ['PATH']}:/usr/sbin")
OPENSSL = shutil.which("openssl")

# Logs tell more here than on Debian, and no path is outside of this folder.
SURROUNDINGS = """
error_log stderr info;
pid nginx.pid;
worker_rlimit_nofile 20000;
events {{ worker_connections 20000; }}
http {{
    access_log access.log;
    client_body_temp_path temp;
    proxy_temp_path temp;
    fastcgi_temp_path temp;
    uwsgi_temp_path temp;
    scgi_temp_path temp;
    gzip on;
    {block}
}}
"""

# For openssl: a certificate that is its own authority.
REQUEST = """
    req -x509 -days 1 -subj /CN=localhost -addext subjectAltName=DNS:localhost
    -addext keyUsage=digitalSignature,keyCertSign
    -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes
    -keyout key.pem -out certificate.pem
"""


class Proxy(Server):
    """A live proxy, and the clients that are connected through it."""

    def __init__(self, trust):
        super().__init__(server=None)
        self.trust = trust  # in its certificate
        self.pids = []
        self.http_port = free_port()

    @property
    def port(self):
        return self.http_port + 1

    @property
    def url(self):
        return f"https://localhost:{self.port}/"

    @property
    def address(self):
        return self.url.replace("https", "wss")

    async def connect(self, path="", **options):
        return await super().connect(path, ssl=self.trust, **options)

    async def request(self, path, *, plainly=False, visitor="127.0.0.1", **options):
        """Send a request by https or plain http, and return the answer."""
        source = {"source_address": (visitor, 0), "timeout": TIMEOUT}
        if plainly:
            connection = http.client.HTTPConnection(
                "localhost", self.http_port, **source
            )
        else:
            connection = http.client.HTTPSConnection(
                "localhost", self.port, context=self.trust, **source
            )
        return await request(connection, path, **options)


async def request(connection, path, *, method="GET", **headers):
    """Send a request, and return the status, the headers and the body."""

    def exchange():
        with contextlib.closing(connection):
            connection.request(method, path, headers=headers)
            response = connection.getresponse()
            return response.status, dict(response.getheaders()), response.read()

    return await asyncio.to_thread(exchange)


def read_me(language):
    """Return the one block in the README that is in a language."""
    readme = (HERE / "README.md").read_text(encoding="utf-8")
    pattern = rf"^```{language}\n(.*?)^```$"
    (block,) = re.findall(pattern, readme, re.MULTILINE | re.DOTALL)
    return block


def repeat(block, ports):
    """Return a block with the lines of the first server for each server, by ports."""
    lines = []
    for line in block.splitlines():
        if re.search("801[01]", line):
            for number, port in enumerate(ports, 1):
                mine = line.replace("8010", str(port)).replace("8011", str(port + 1))
                mine = mine.replace("/1/", f"/{number}/").replace(" 1:", f" {number}:")
                lines.append(mine)
        elif not re.search("802[01]", line):
            lines.append(line)
    return "\n".join(lines)


def configuration(ports, proxy, certificate):
    """Return the README's configuration, with the names, ports and paths of a test."""
    block = repeat(read_me("nginx"), ports)
    folder = "/etc/letsencrypt/live/connect4.example.org"
    places = {
        "listen 80;": f"listen 127.0.0.1:{proxy.http_port};",
        "listen 443 ssl;": f"listen 127.0.0.1:{proxy.port} ssl;",
        "listen [::]:80;": f"listen [::1]:{proxy.http_port};" if has_ipv6() else "",
        "listen [::]:443 ssl;": f"listen [::1]:{proxy.port} ssl;" if has_ipv6() else "",
        f"{folder}/fullchain.pem": f"{certificate / 'certificate.pem'}",
        f"{folder}/privkey.pem": f"{certificate / 'key.pem'}",
        "connect4.example.org": "localhost",
    }
    for place, substitute in places.items():
        assert place in block
        block = block.replace(place, substitute)
    return SURROUNDINGS.format(block=block)


def make_certificate(folder):
    """Make a certificate for localhost, and its key, in a folder."""
    command = [OPENSSL, *shlex.split(REQUEST)]
    subprocess.run(command, cwd=folder, check=True, capture_output=True)


@contextlib.asynccontextmanager
async def open_proxy(ports, certificate, tmp_path):
    """Start the proxy in front of servers. It may not write a key into its logs."""
    trust = ssl.create_default_context(cafile=certificate / "certificate.pem")
    proxy = Proxy(trust)
    text = configuration(ports, proxy, certificate)
    (tmp_path / "nginx.conf").write_text(text, encoding="utf-8")
    command = [NGINX, "-p", tmp_path, "-c", "nginx.conf", "-e", "stderr"]
    process = await execute(*command, "-g", "daemon off;")
    said = ""
    try:
        while "start worker process " not in said:
            async with asyncio.timeout(TIMEOUT):
                line = (await process.stderr.readline()).decode()
            assert line, f"nginx ended: {said}"
            said += line
        workers = re.findall(r"start worker process (\d+)", said)
        proxy.pids = [process.pid, *map(int, workers)]
        yield proxy
        await asyncio.gather(*(client.close() for client in proxy.clients))
    finally:
        if process.returncode is None:
            process.terminate()
        status, _, errors = await result(process)
    said += errors
    logs = said + (tmp_path / "access.log").read_text(encoding="utf-8")
    assert [key for key in KEYS if key in logs] == []
    assert status == 0
    assert re.findall(r"\[(?:warn|error|crit|alert|emerg)\].*", said) == []
