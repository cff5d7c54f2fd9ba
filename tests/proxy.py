"""What may stand in front of a server: a proxy of one port, with TLS, and nginx."""

import asyncio
import contextlib
import os
import re
import shlex
import shutil
import ssl
import subprocess

import pytest

from helpers import KEYS, TIMEOUT, Server, execute, free_port, result

# Debian has it where only root looks for programs.
NGINX = shutil.which("nginx", path=f"{os.environ['PATH']}:/usr/sbin")
OPENSSL = shutil.which("openssl")

# For openssl: a certificate that is its own authority.
REQUEST = """
    req -x509 -days 1 -subj /CN=localhost -addext subjectAltName=DNS:localhost
    -addext keyUsage=digitalSignature,keyCertSign
    -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes
    -keyout key.pem -out certificate.pem
"""

# Several processes, each under a path: "/" leads to one of them by the visitor's
# address, so that who comes again finds the same. No log holds a key.
CONFIGURATION = """
map $http_upgrade $connection_upgrade { default upgrade; "" close; }
split_clients $remote_addr $process { 50% 1; * 2; }
upstream process1 { server 127.0.0.1:8010; }
upstream process2 { server 127.0.0.1:8020; }

server {
    listen 80;
    access_log off;
    error_log /dev/null crit;
    absolute_redirect off;

    location = / { return 302 /$process/$is_args$args; }

    location ~ ^/(?<number>[12])/ {
        rewrite ^/./(.*)$ /$1 break;
        proxy_pass http://process$number;
        proxy_http_version 1.1;
        proxy_set_header Host $http_host;
        proxy_set_header X-Forwarded-For $remote_addr;
        proxy_set_header Upgrade $http_upgrade;
        proxy_set_header Connection $connection_upgrade;
        proxy_read_timeout 1m;
    }

    location / { return 404; }
}
"""

# What stands around it on Debian, but for the places.
SURROUNDINGS = """
pid nginx.pid;
events {{}}
http {{
    access_log access.log;
    client_body_temp_path temp;
    proxy_temp_path temp;
    fastcgi_temp_path temp;
    uwsgi_temp_path temp;
    scgi_temp_path temp;
    {}
}}
"""


def need(name, path):
    """Skip a test if a program isn't installed, but not where all must be."""
    if path is None:
        advice = f"no {name}: install it, on Debian with apt install {name}"
        if os.environ.get("CI"):
            pytest.fail(advice)
        pytest.skip(advice)


def make_certificate(folder):
    """Make a certificate for localhost, and its key, in a folder."""
    command = [OPENSSL, *shlex.split(REQUEST)]
    subprocess.run(command, cwd=folder, check=True, capture_output=True)


class Proxy(Server):
    """A live proxy, and the clients that are connected through it."""

    port = None

    def __init__(self, port, prefix="", trust=None):
        super().__init__(server=None)
        self.port = port
        self.prefix = prefix
        self.trust = trust  # in its certificate

    @property
    def url(self):
        scheme = "http" if self.trust is None else "https"
        return f"{scheme}://localhost:{self.port}/{self.prefix}"

    @property
    def address(self):
        return self.url.replace("http", "ws", 1)

    async def connect(self, path="", **options):
        if self.trust is not None:
            options["ssl"] = self.trust
        return await super().connect(path, **options)


@contextlib.asynccontextmanager
async def open_tls_proxy(port, certificate, prefix=""):
    """
    Start a proxy of one port: it ends TLS, and knows nothing of HTTP.

    With a prefix, it takes that away from the path of each request.

    """

    async def pass_on(reader, writer):
        with contextlib.suppress(OSError):
            while data := await reader.read(2**16):
                writer.write(data)
                await writer.drain()
        writer.close()

    async def handle(reader, writer):
        # Browsers open connections that they may not use.
        with contextlib.suppress(OSError, asyncio.IncompleteReadError):
            head = await reader.readuntil(b"\r\n\r\n")
            head = head.replace(f" /{prefix}".encode(), b" /", 1)
            there, back = await asyncio.open_connection("127.0.0.1", port)
            back.write(head)
            async with asyncio.TaskGroup() as ways:
                ways.create_task(pass_on(reader, back))
                ways.create_task(pass_on(there, writer))
        writer.close()

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate / "certificate.pem", certificate / "key.pem")
    server = await asyncio.start_server(handle, "127.0.0.1", 0, ssl=context)
    trust = ssl.create_default_context(cafile=certificate / "certificate.pem")
    proxy = Proxy(server.sockets[0].getsockname()[1], prefix, trust)
    yield proxy
    await asyncio.gather(*(client.close() for client in proxy.clients))
    server.close()


@contextlib.asynccontextmanager
async def open_nginx(ports, folder):
    """Start nginx in front of two servers. It may not write a key into its logs."""
    port = free_port()
    block = CONFIGURATION.replace("listen 80;", f"listen 127.0.0.1:{port};")
    for place, number in zip(("8010", "8020"), ports, strict=True):
        block = block.replace(f"127.0.0.1:{place}", f"127.0.0.1:{number}")
    (folder / "nginx.conf").write_text(SURROUNDINGS.format(block), encoding="utf-8")
    command = [NGINX, "-p", folder, "-c", "nginx.conf", "-e", "stderr"]
    process = await execute(*command, "-g", "daemon off; error_log stderr notice;")
    said = ""
    try:
        while "start worker process " not in said:
            async with asyncio.timeout(TIMEOUT):
                line = (await process.stderr.readline()).decode()
            assert line, f"nginx ended: {said}"
            said += line
        proxy = Proxy(port)
        yield proxy
        await asyncio.gather(*(client.close() for client in proxy.clients))
    finally:
        if process.returncode is None:
            process.terminate()
        status, _, errors = await result(process)
    said += errors + (folder / "access.log").read_text(encoding="utf-8")
    assert [key for key in KEYS if key in said] == []
    assert status == 0
    assert re.findall(r"\[(?:warn|error|crit|alert|emerg)\].*", said) == []
