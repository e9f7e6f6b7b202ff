"""Peers that are none of ours, over HTTP/2: curl by prior knowledge and by ALPN, h2load with many
streams.
"""

from __future__ import annotations

import hashlib
import re
import shutil
import subprocess
from collections.abc import Iterator

import pytest

from tests.support.certificates import self_signed
from tests.support.clocks import PATIENCE
from tests.support.gateways import GatewayProcess, sentinel_run, write_config
from tests.support.upstreams import Upstream, answering, running_upstream

CONFIG = """
[server]
bind = ["127.0.0.1:0"]
TLS

[[upstream]]
name = "origin"
targets = ["UPSTREAM"]

[[route]]
path = "/"
upstream = "origin"
trailers = ["x-sum"]
"""


@pytest.fixture(scope="module")
def origin() -> Iterator[Upstream]:
    with running_upstream() as running:
        yield running


@pytest.fixture(scope="module", params=["plain", "tls"])
def gateway(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, origin: Upstream
) -> Iterator[GatewayProcess]:
    folder = tmp_path_factory.mktemp("gateway")
    tls = ""
    if request.param == "tls":
        certificate, key = self_signed(folder)
        tls = f'tls = {{ cert = "{certificate}", key = "{key}" }}'
    config = CONFIG.replace("UPSTREAM", origin.url).replace("TLS", tls)
    with sentinel_run(write_config(folder, config)) as running:
        yield running


def url(gateway: GatewayProcess, path: str = "/") -> str:
    secure = (gateway.folder / "cert.pem").exists()
    return f"https://localhost:{gateway.public[1]}{path}" if secure else f"{gateway.url}{path}"


def curl(gateway: GatewayProcess, *arguments: str, path: str = "/", body: bytes = b"") -> bytes:
    """What curl writes to its standard output."""
    program = shutil.which("curl")
    assert program is not None
    secure = (gateway.folder / "cert.pem").exists()
    how = ["--http2", "--cacert", str(gateway.folder / "cert.pem")] if secure else ["--http2-prior-knowledge"]
    command = [program, "--silent", "--show-error", "--max-time", "30", *how, *arguments, url(gateway, path)]
    result = subprocess.run(command, input=body, capture_output=True, check=False)
    assert result.returncode == 0, result.stderr
    return result.stdout


def test_curl_gets_an_answer(gateway: GatewayProcess, origin: Upstream) -> None:
    origin.reset()
    got = curl(gateway, "--include", path="/x%20y?z=1")
    assert got.startswith(b"HTTP/2 200")
    assert got.endswith(b"\r\n\r\nhello")
    (request,) = origin.requests
    assert request.target == "/x%20y?z=1"
    assert request.values("via") == ["2 sentinel"]


def test_curl_uploads_and_downloads(gateway: GatewayProcess, origin: Upstream) -> None:
    origin.reset()
    payload = bytes(range(256)) * 20_000
    origin.handler = answering(b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n" % len(payload) + payload)
    got = curl(gateway, "--data-binary", "@-", "--header", "content-type: application/x", body=payload)
    assert hashlib.sha256(got).digest() == hashlib.sha256(payload).digest()
    assert hashlib.sha256(origin.requests[0].body).digest() == hashlib.sha256(payload).digest()


def test_curl_sees_trailers_and_many_requests_on_one_connection(gateway: GatewayProcess, origin: Upstream) -> None:
    origin.reset()
    chunked = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nok\r\n0\r\nx-sum: 1\r\nx-other: 2\r\n\r\n"
    origin.handler = answering(chunked)
    paths = ("/1", "/2", "/3")
    if url(gateway).startswith("https"):
        got = curl(gateway, "--include", *(url(gateway, path) for path in paths[1:]), path=paths[0])
    else:
        # curl 7.88 cannot use a connection by prior knowledge again; with stock Hypercorn it fails
        # in the same way.
        got = b"".join(curl(gateway, "--include", path=path) for path in paths)
    assert got.count(b"HTTP/2 200") == 3
    assert got.count(b"\r\nokx-sum: 1\r\n") == 3
    assert b"x-other" not in got


def test_h2load_has_no_failure(gateway: GatewayProcess, origin: Upstream) -> None:
    origin.reset()
    program = shutil.which("h2load")
    assert program is not None
    command = [program, "-n", "2000", "-c", "4", "-m", "50", url(gateway)]
    result = subprocess.run(command, capture_output=True, text=True, check=True, timeout=PATIENCE)
    counts = re.search(r"(\d+) succeeded, (\d+) failed, (\d+) errored, (\d+) timeout", result.stdout)
    assert counts is not None, result.stdout
    assert counts.groups() == ("2000", "0", "0", "0")
    assert re.search(r"status codes: 2000 2xx", result.stdout)
    assert len(origin.requests) == 2000
