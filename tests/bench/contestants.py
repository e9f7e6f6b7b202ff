"""The servers that benchmarks compare: how each is configured and started.

All proxies pass everything on to one nginx that answers by itself. Each has one worker, keeps its
connections to the upstream alive, and tells the upstream who the client is.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from tests.bench.processes import BenchError, Server, free_port, server, tool

ROOT = Path(__file__).resolve().parents[2]
GUESTS = {
    "access-log": "rust",
    "api-key-auth": "rust",
    "header-injection": "assemblyscript",
}
KEY = {"x-api-key": "demo-key"}

_NGINX = """\
{user}
daemon off;
worker_processes 1;
pid {folder}/{name}.pid;
error_log stderr warn;
events {{ worker_connections 4096; }}
http {{
  access_log off;
  client_body_temp_path {folder}/{name}-body;
  proxy_temp_path {folder}/{name}-proxy;
  fastcgi_temp_path {folder}/{name}-fastcgi;
  uwsgi_temp_path {folder}/{name}-uwsgi;
  scgi_temp_path {folder}/{name}-scgi;
  client_max_body_size 0;
  keepalive_requests 10000;
{http}
}}
"""
_UPSTREAM = """\
  default_type text/plain;
  server {{
    listen 127.0.0.1:{port}{tls} backlog=2048;
    keepalive_requests 100000000;
{locations}
  }}
"""
_FORWARDED = """\
      proxy_http_version 1.1;
      proxy_set_header Connection "";
      proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
      proxy_set_header X-Forwarded-Proto $scheme;
      proxy_set_header X-Request-Id $request_id;
"""
_PROXY = """\
  {outside}
  upstream origin {{ server 127.0.0.1:{upstream}; keepalive 256; keepalive_requests 100000000; }}
  server {{
    listen 127.0.0.1:{port}{protocol} backlog=2048;
    location / {{
      {location}
      proxy_pass {scheme}://origin;
{forwarded}
    }}
  }}
"""
_PROXY_OF_MANY = """\
{upstreams}
  server {{
    listen 127.0.0.1:{port} backlog=2048;
{forwarded}
{locations}
  }}
"""
_GRPC_PROXY = """\
  upstream origin {{ server 127.0.0.1:{upstream}; keepalive 256; keepalive_requests 100000000; }}
  server {{
    listen 127.0.0.1:{port} http2 backlog=2048;
    location / {{
      grpc_pass grpc://origin;
      grpc_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
      grpc_set_header X-Forwarded-Proto $scheme;
      grpc_set_header X-Request-Id $request_id;
    }}
  }}
"""
_SENTINEL = """\
[server]
bind = ["127.0.0.1:{port}"]
admin = "127.0.0.1:{admin}"
workers = {workers}
{listening}

[[upstream]]
name = "origin"
targets = ["{scheme}://127.0.0.1:{upstream}"]
{settings}

{tables}
"""
_ROUTE = """\
[guest.api-key-auth]
config = {{ keys = {{ "demo-key" = "demo" }} }}

[[route]]
name = "main"
path = "/"
upstream = "origin"
chain = [{chain}]
{limit}
"""
_QUART_HELLO = """\
from quart import Quart

app = Quart(__name__)


@app.get("/")
async def hello():
    return "hello"
"""
# What `server_hello` and `http2.hypercorn` both serve: they differ in nothing but the server.
PLAIN_HELLO = """\
async def app(scope, receive, send):
    if scope["type"] == "lifespan":
        for event in ("startup", "shutdown"):
            await receive()
            await send({"type": f"lifespan.{event}.complete"})
        return
    fields = [(b"content-type", b"text/html; charset=utf-8"), (b"content-length", b"5")]
    await send({"type": "http.response.start", "status": 200, "headers": fields})
    await send({"type": "http.response.body", "body": b"hello"})
"""
GRPC_SERVICE = """\
MESSAGE = b"\\0\\0\\0\\0\\x64" + b"m" * 100
FIELDS = [(b"content-type", b"application/grpc")]


async def app(scope, receive, send):
    if scope["type"] == "lifespan":
        for event in ("startup", "shutdown"):
            await receive()
            await send({"type": f"lifespan.{event}.complete"})
        return
    body = b""
    while True:
        message = await receive()
        body += message.get("body", b"")
        if not message.get("more_body"):
            break
    count = int(scope["path"].rpartition("/")[2] or 1)
    await send({"type": "http.response.start", "status": 200, "headers": FIELDS, "trailers": True})
    for _ in range(count - 1):
        await send({"type": "http.response.body", "body": MESSAGE, "more_body": True})
    await send({"type": "http.response.body", "body": body if count == 1 else MESSAGE, "more_body": False})
    await send({"type": "http.response.trailers", "headers": [(b"grpc-status", b"0")]})
"""
_SERVER_SCRIPT = """\
import asyncio
import gc
import signal
import sys

from plain_hello import app
from sentinel_host.http.server import Connections, ServerLimits
from sentinel_host.server import Endpoint, bind
from sentinel_host.server.serve import run, serve


async def main():
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    endpoints = [Endpoint("public", bind(f"127.0.0.1:{sys.argv[1]}"))]
    await serve(app, endpoints, Connections(ServerLimits()), shutdown=stop.wait, grace=1, ready=settle)


def settle():
    # As `sentinel run` does before it serves.
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 20, 100)


run(main())
"""


def chain_entries(count: int) -> list[str]:
    """A chain of that many guests, as TOML: log, authentication, header, then five more headers."""
    if count == 1:
        return ['"access-log"']
    entries = ['"access-log"', '"api-key-auth"', _header("x-gateway", "sentinel")]
    entries += [_header(f"x-extra-{number}", "sentinel") for number in range(1, 6)]
    return entries[:count]


def _header(name: str, value: str) -> str:
    return f'{{ guest = "header-injection", config = {{ request = {{ set = {{ "{name}" = "{value}" }} }} }} }}'


@contextlib.contextmanager
def upstream(
    folder: Path,
    core: int,
    locations: str = 'location / { return 200 "hello"; }',
    *,
    certificate: tuple[Path, Path] | None = None,
) -> Iterator[Server]:
    """The nginx behind every proxy; with a certificate and its key it speaks TLS."""
    port, name, tls = free_port(), "upstream", ""
    if certificate is not None:
        name, tls = "upstream_tls", " ssl"
        locations = f"ssl_certificate {certificate[0]}; ssl_certificate_key {certificate[1]}; {locations}"
    with _nginx(name, _UPSTREAM.format(port=port, locations=locations, tls=tls), port, folder, core) as running:
        yield running


@contextlib.contextmanager
def nginx_proxy(
    folder: Path,
    core: int,
    behind: int,
    location: str = "",
    *,
    name: str = "nginx",
    outside: str = "",
    http2: bool = False,
    scheme: str = "http",
) -> Iterator[Server]:
    """nginx as a plain proxy in front of the port ``behind``; ``location`` and ``outside`` add
    directives.

    With ``http2`` its clients speak that, by prior knowledge. ``scheme`` is what it speaks with the
    port ``behind``.
    """
    port, protocol = free_port(), " http2" if http2 else ""
    http = _PROXY.format(
        port=port,
        upstream=behind,
        location=location,
        outside=outside,
        protocol=protocol,
        scheme=scheme,
        forwarded=_FORWARDED,
    )
    with _nginx(name, http, port, folder, core) as running:
        yield running


@contextlib.contextmanager
def nginx_upstreams(folder: Path, core: int, behind: int, count: int) -> Iterator[Server]:
    """nginx as a plain proxy with so many upstreams, for the paths ``/r1``, ``/r2`` and so on; all
    of them are the port ``behind``.
    """
    port, numbers = free_port(), range(1, count + 1)
    kept = f"server 127.0.0.1:{behind}; keepalive 256; keepalive_requests 100000000;"
    http = _PROXY_OF_MANY.format(
        upstreams="\n".join(f"  upstream u{number} {{ {kept} }}" for number in numbers),
        port=port,
        forwarded=_FORWARDED,
        locations="\n".join(f"    location /r{number} {{ proxy_pass http://u{number}; }}" for number in numbers),
    )
    with _nginx("nginx", http, port, folder, core) as running:
        yield running


@contextlib.contextmanager
def nginx_grpc(folder: Path, core: int, behind: int) -> Iterator[Server]:
    """nginx as a proxy for gRPC, on both sides without TLS."""
    port = free_port()
    with _nginx("nginx", _GRPC_PROXY.format(port=port, upstream=behind), port, folder, core) as running:
        yield running


@contextlib.contextmanager
def _nginx(name: str, http: str, port: int, folder: Path, core: int) -> Iterator[Server]:
    config = folder / f"{name}.conf"
    # Started by root, a worker would else be somebody who may not read the folder.
    user = "user root root;" if os.geteuid() == 0 else ""
    config.write_text(_NGINX.format(user=user, folder=folder, name=name, http=http))
    command = [tool("nginx"), "-e", "stderr", "-p", str(folder), "-c", str(config)]
    with server(name, command, port, folder, core) as running:
        yield running


def write_gateway(
    home: Path,
    behind: int,
    tables: str,
    ca: Path | None = None,
    *,
    workers: int = 1,
    settings: str = "",
    http3: tuple[Path, Path] | None = None,
) -> tuple[Path, int]:
    """Write a gateway's guests and configuration. Returns the file and the listener's port.

    ``tables`` are its routes and guests in TOML; the upstream is called ``origin``, and has these
    ``settings``. With ``ca`` the gateway speaks TLS with the port ``behind``, whose certificate
    that authority signed. With ``http3``, a certificate and its key, its listener speaks TLS, and
    HTTP/3 at the same port.
    """
    (home / "guests").mkdir(parents=True)
    for guest, language in GUESTS.items():
        artefact = ROOT / "build" / "guests" / language / f"{guest}.wasm"
        if not artefact.is_file():
            raise BenchError(f"{artefact} is not there: `nox -s guests` builds it")
        shutil.copy(artefact, home / "guests")
    port = free_port()
    config = home / "sentinel.toml"
    listening = f'quic_bind = "127.0.0.1:{port}"\ntls = {{ cert = "{http3[0]}", key = "{http3[1]}" }}' if http3 else ""
    config.write_text(
        _SENTINEL.format(
            port=port,
            admin=free_port(),
            workers=workers,
            listening=listening,
            upstream=behind,
            scheme="https" if ca else "http",
            settings=f'ca = "{ca}"\n{settings}' if ca else settings,
            tables=tables,
        )
    )
    return config, port


@contextlib.contextmanager
def sentinel(
    name: str,
    folder: Path,
    core: int,
    behind: int,
    chain: Sequence[str] = (),
    *,
    limit: str = "",
    ca: Path | None = None,
    settings: str = "",
    http3: tuple[Path, Path] | None = None,
) -> Iterator[Server]:
    """Our gateway, as `sentinel run` starts it; guests' log lines go to ``NAME.out``.

    ``limit`` is the route's, in TOML; ``ca``, ``settings`` and ``http3`` are as for
    `write_gateway`.
    """
    chosen = f"limit = {limit}" if limit else ""
    route = _ROUTE.format(chain=", ".join(chain), limit=chosen)
    config, port = write_gateway(folder / name, behind, route, ca, settings=settings, http3=http3)
    command = [sys.executable, "-m", "sentinel_host", "run", "--config", str(config)]
    with server(name, command, port, folder, core) as running:
        yield running


@contextlib.contextmanager
def hypercorn_quart_hello(folder: Path, core: int) -> Iterator[Server]:
    """Hypercorn as it is installed, on uvloop, with a Quart application of one line."""
    (folder / "quart_hello.py").write_text(_QUART_HELLO)
    port = free_port()
    options = ["--bind", f"127.0.0.1:{port}", "--worker-class", "uvloop", "--workers", "1"]
    command = [sys.executable, "-m", "hypercorn", *options, "quart_hello:app"]
    with server("hypercorn_quart_hello", command, port, folder, core) as running:
        yield running


def write_plain_hello(folder: Path) -> None:
    """Make the plain application importable there, as ``plain_hello:app``."""
    (folder / "plain_hello.py").write_text(PLAIN_HELLO)


@contextlib.contextmanager
def grpc_service(folder: Path, core: int) -> Iterator[Server]:
    """Our server with an application that answers gRPC's calls: echoes, and streams of messages."""
    (folder / "plain_hello.py").write_text(GRPC_SERVICE)
    script = folder / "grpc_service.py"
    script.write_text(_SERVER_SCRIPT)
    port = free_port()
    with server("grpc_service", [sys.executable, str(script), str(port)], port, folder, core) as running:
        yield running


@contextlib.contextmanager
def server_hello(folder: Path, core: int) -> Iterator[Server]:
    """Our server with a plain ASGI application that answers the same."""
    write_plain_hello(folder)
    script = folder / "server_hello.py"
    script.write_text(_SERVER_SCRIPT)
    port = free_port()
    with server("server_hello", [sys.executable, str(script), str(port)], port, folder, core) as running:
        yield running
