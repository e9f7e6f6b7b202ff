"""The certificate of a listener for HTTP/3 is replaced while it serves, as those for TCP are."""

from __future__ import annotations

import asyncio
import os
import shutil
import subprocess
from pathlib import Path

from tests.http3.client import connected
from tests.support.certificates import self_signed
from tests.support.fixtures import origin as origin
from tests.support.fixtures import shared_upstream as shared_upstream
from tests.support.gateways import GatewayProcess, sentinel_run, write_config
from tests.support.upstreams import Upstream

CONFIG = """
[server]
bind = ["127.0.0.1:0"]
quic_bind = "127.0.0.1:0"
workers = 2
tls = { cert = "cert.pem", key = "key.pem" }

[[upstream]]
name = "origin"
targets = ["UPSTREAM"]

[[route]]
path = "/"
upstream = "origin"
"""
WORKERS = 2
SHOWN = "new certificates are used from now on"


def renewed(folder: Path, key: Path) -> tuple[Path, Path]:
    """Another certificate for the same key."""
    certificate = folder / "renewed.pem"
    command = ["openssl", "req", "-x509", "-key", key, "-days", "3", "-subj", "/CN=localhost"]
    names = ["-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"]
    subprocess.run([*command, *names, "-out", certificate], check=True, capture_output=True)
    return certificate, key


def put(pair: tuple[Path, Path], folder: Path) -> None:
    """Rename copies of both files into place."""
    for file, name in zip(pair, ("cert.pem", "key.pem"), strict=True):
        shutil.copy(file, folder / "fresh").rename(folder / name)


def test_a_new_connection_is_shown_the_certificate_that_counts_now(tmp_path: Path, shared_upstream: Upstream) -> None:
    """Whether its key is another one or not. A connection that is there goes on."""
    for name in ("one", "two", "gateway"):
        (tmp_path / name).mkdir()
    pairs = [self_signed(tmp_path / "one"), self_signed(tmp_path / "two")]
    pairs.append(renewed(tmp_path, pairs[1][1]))
    put(pairs[0], tmp_path / "gateway")
    config = write_config(tmp_path / "gateway", CONFIG.replace("UPSTREAM", shared_upstream.url))

    async def use(gateway: GatewayProcess) -> None:
        address = gateway.addresses["quic"]
        async with connected(address, pairs[0][0]) as kept:
            assert (await kept.get()).status == 200
            for count, pair in enumerate(pairs[1:], 1):
                put(pair, tmp_path / "gateway")
                await asyncio.to_thread(
                    gateway.wait, lambda count=count: "".join(gateway.log).count(SHOWN) == WORKERS * count, SHOWN
                )
                for number in range(WORKERS):
                    # The first word of the client's own id chooses the worker.
                    first_id = number.to_bytes(2, "big") + os.urandom(6)
                    async with connected(address, pair[0], first_id=first_id) as fresh:
                        assert (await fresh.get()).status == 200
            assert (await kept.get()).status == 200

    with sentinel_run(config) as gateway:
        gateway.wait(lambda: "quic" in gateway.addresses, "datagrams' address")
        asyncio.run(use(gateway))
