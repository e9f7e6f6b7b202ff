"""Peers that are none of ours: curl and wrk in front; nginx, uvicorn and Python's http.server
behind.
"""

from __future__ import annotations

import contextlib
import gzip
import hashlib
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.certificates import self_signed
from tests.support.clients import fetch
from tests.support.gateways import GatewayProcess, sentinel_run, write_config
from tests.support.peers import free_port, peer_server

PAGE = (
    b"<!doctype html><link rel=stylesheet href=/style.css><script src=/app.js></script><img src=/logo.bin>"
    + b" " * 4000
)
ASSETS = {
    "index.html": PAGE,
    "style.css": b"body{}" * 1000,
    "app.js": b"f();" * 5000,
    "logo.bin": bytes(range(256)) * 4000,
}
CONFIG = """
[server]
bind = ["127.0.0.1:0"]

[[upstream]]
name = "peer"
targets = ["http://127.0.0.1:{port}"]

[[route]]
path = "/"
upstream = "peer"
"""
NGINX = """
daemon off; master_process off; worker_processes 1; pid {folder}/pid; error_log stderr error;
events {{ worker_connections 512; }}
http {{
  access_log off;
  types {{ text/html html; text/css css; application/javascript js; }}
  client_body_temp_path {folder}/t1; proxy_temp_path {folder}/t2; fastcgi_temp_path {folder}/t3;
  uwsgi_temp_path {folder}/t4; scgi_temp_path {folder}/t5;
  gzip on; gzip_types text/css application/javascript; gzip_proxied any;
  server {{
    listen 127.0.0.1:{port};
    root {folder}/site;
    location = /old {{ return 301 /index.html; }}
    location = /login {{ add_header Set-Cookie "a=1; Path=/"; add_header Set-Cookie "b=2; HttpOnly"; return 200 "in"; }}
    location = /empty {{ return 204; }}
  }}
}}
"""
APPLICATION = """
import hashlib

async def app(scope, receive, send):
    if scope["type"] != "http":
        return
    digest, more = hashlib.sha256(), True
    while more:
        message = await receive()
        digest.update(message.get("body", b""))
        more = message.get("more_body", False)
    fields = [(b"x-host", dict(scope["headers"])[b"host"])]
    await send({"type": "http.response.start", "status": 200, "headers": fields})
    for byte in digest.digest():
        await send({"type": "http.response.body", "body": bytes([byte]), "more_body": True})
    await send({"type": "http.response.body", "body": b""})
"""


TLS_CONFIG = CONFIG.replace("http://127.0.0.1:{port}", "https://localhost:{port}").replace(
    "\n[[route]]", 'ca = "{ca}"\n\n[[route]]'
)
TLS_NGINX = """
daemon off; master_process off; worker_processes 1; pid {folder}/pid; error_log stderr error;
events {{ worker_connections 64; }}
http {{
  access_log off; keepalive_timeout 0;
  client_body_temp_path {folder}/t1; proxy_temp_path {folder}/t2; fastcgi_temp_path {folder}/t3;
  uwsgi_temp_path {folder}/t4; scgi_temp_path {folder}/t5;
  server {{
    listen 127.0.0.1:{port} ssl;
    ssl_certificate {folder}/cert.pem; ssl_certificate_key {folder}/key.pem;
    root {folder};
  }}
}}
"""


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a page and its assets."""
    folder = tmp_path_factory.mktemp("peer")
    (folder / "site").mkdir()
    for name, data in ASSETS.items():
        (folder / "site" / name).write_bytes(data)
    return folder


@contextlib.contextmanager
def behind_gateway(folder: Path, command: list[str], port: int, config: str = CONFIG) -> Iterator[GatewayProcess]:
    """The gateway in front of a server that a command starts."""
    with peer_server(command, port, folder):
        # A folder of its own: what is written over another's configuration, that one loads.
        text = config.format(port=port, ca=folder / "cert.pem")
        with sentinel_run(write_config(folder / f"gateway-{port}", text)) as gateway:
            yield gateway


@pytest.fixture(scope="module")
def nginx(site: Path) -> Iterator[GatewayProcess]:
    """The gateway in front of nginx."""
    port = free_port()
    (site / "nginx.conf").write_text(NGINX.format(folder=site, port=port))
    command = [tool("nginx"), "-e", "stderr", "-p", str(site), "-c", str(site / "nginx.conf")]
    with behind_gateway(site, command, port) as gateway:
        yield gateway


def tool(name: str) -> str:
    path = shutil.which(name) or shutil.which(name, path="/usr/sbin")
    if path is None:
        pytest.skip(f"{name} is not installed")
    return path


def curl(*arguments: str) -> str:
    command = [tool("curl"), "--silent", "--show-error", "--max-time", "100", *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


def test_a_page_and_its_assets(nginx: GatewayProcess) -> None:
    page = fetch(nginx.public)
    assert (page.status, page.body) == (200, PAGE), nginx.log
    for name in re.findall(rb"(?:href|src)=/([\w.]+)", page.body):
        asset = fetch(nginx.public, f"/{name.decode()}")
        assert asset.body == ASSETS[name.decode()]


def test_ranges_and_validators(nginx: GatewayProcess) -> None:
    part = fetch(nginx.public, "/logo.bin", headers={"range": "bytes=1000-1999"})
    assert (part.status, part.body) == (206, ASSETS["logo.bin"][1000:2000])
    assert part.header("content-range") == f"bytes 1000-1999/{len(ASSETS['logo.bin'])}"
    assert fetch(nginx.public, "/logo.bin", headers={"range": "bytes=9999999-"}).status == 416
    several = fetch(nginx.public, "/logo.bin", headers={"range": "bytes=0-9,20-29"})
    assert (several.header("content-type") or "").startswith("multipart/byteranges")
    etag = part.header("etag") or ""
    unchanged = fetch(nginx.public, "/logo.bin", headers={"if-none-match": etag})
    assert (unchanged.status, unchanged.body, unchanged.header("etag")) == (304, b"", etag)


def test_compressed_bodies_are_left_alone(nginx: GatewayProcess) -> None:
    answer = fetch(nginx.public, "/app.js", headers={"accept-encoding": "gzip"})
    assert answer.header("content-encoding") == "gzip"
    assert gzip.decompress(answer.body) == ASSETS["app.js"]


def test_redirects_cookies_and_nothing(nginx: GatewayProcess) -> None:
    moved = fetch(nginx.public, "/old")
    assert (moved.status, (moved.header("location") or "").endswith("/index.html")) == (301, True)
    assert fetch(nginx.public, "/login").values("set-cookie") == ["a=1; Path=/", "b=2; HttpOnly"]
    assert fetch(nginx.public, "/empty").status == 204
    assert fetch(nginx.public, "/none").status == 404
    assert fetch(nginx.public, "/", method="HEAD").header("content-length") == str(len(PAGE))


def test_curl_in_front(nginx: GatewayProcess, site: Path) -> None:
    assert curl(nginx.url).encode() == PAGE
    assert curl("--compressed", f"{nginx.url}/style.css").encode() == ASSETS["style.css"]
    two = curl("-w", "%{num_connects} ", "-o", "/dev/null", "-o", "/dev/null", f"{nginx.url}/", f"{nginx.url}/app.js")
    assert two == "1 0 "
    codes = curl(
        "-X", "PUT", "-T", str(site / "site" / "logo.bin"), "-o", "/dev/null", "-w", "%{http_code}", f"{nginx.url}/up"
    )
    assert codes == "405"
    assert curl("--http1.0", nginx.url).encode() == PAGE
    assert curl("-I", "-o", "/dev/null", "-w", "%{http_code}", nginx.url) == "200"


def test_wrk_in_front(nginx: GatewayProcess) -> None:
    command = [tool("wrk"), "-t1", "-c32", "-d1", "--timeout", "100s", nginx.url]
    output = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert "Socket errors" not in output
    assert "Non-2xx" not in output
    found = re.search(r"(\d+) requests in", output)
    assert found is not None
    assert int(found[1]) > 0


def test_nginx_that_closes_behind_tls(tmp_path: Path) -> None:
    """It closes behind each response. Of thirty downloads of 6 MB, 27 lost their tail."""
    data = bytes(range(256)) * (6 * 4096)
    (tmp_path / "large.bin").write_bytes(data)
    self_signed(tmp_path)
    port = free_port()
    (tmp_path / "nginx.conf").write_text(TLS_NGINX.format(folder=tmp_path, port=port))
    command = [tool("nginx"), "-e", "stderr", "-p", str(tmp_path), "-c", str(tmp_path / "nginx.conf")]
    with behind_gateway(tmp_path, command, port, TLS_CONFIG) as gateway:
        for _ in range(30):
            assert fetch(gateway.public, "/large.bin").body == data


def test_http_server_behind(site: Path) -> None:
    port = free_port()
    command = [sys.executable, "-m", "http.server", str(port), "--bind", "127.0.0.1", "--directory", "site"]
    with behind_gateway(site, command, port) as gateway:
        for _ in range(3):
            assert fetch(gateway.public, "/index.html").body == PAGE
        assert fetch(gateway.public, "/logo.bin").body == ASSETS["logo.bin"]
        assert fetch(gateway.public, "/", method="HEAD").status == 200
        assert fetch(gateway.public, "/none").status == 404
        assert fetch(gateway.public, "/", method="POST", body=b"x").status == 501


def test_uvicorn_behind(site: Path) -> None:
    (site / "peer.py").write_text(APPLICATION)
    port = free_port()
    command = [sys.executable, "-m", "uvicorn", "peer:app", "--port", str(port), "--log-level", "warning"]
    with behind_gateway(site, command, port) as gateway:
        for size in (0, 1, 100_000, 5_000_000):
            answer = fetch(gateway.public, method="POST", body=bytes(size))
            assert (answer.status, answer.body) == (200, hashlib.sha256(bytes(size)).digest())
        pieces = (bytes(70_000) for _ in range(20))
        answer = fetch(gateway.public, method="POST", body=pieces)
        assert answer.body == hashlib.sha256(bytes(1_400_000)).digest()
        assert answer.header("x-host") == f"127.0.0.1:{port}"
