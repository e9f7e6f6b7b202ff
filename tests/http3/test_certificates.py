"""The certificates of a listener for HTTP/3: chosen by the server's name, and replaced while it serves,
as those for TCP are.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from cryptography import x509

from tests.http3.client import connected
from tests.support.certificates import self_signed
from tests.support.fixtures import origin as origin
from tests.support.fixtures import shared_upstream as shared_upstream
from tests.support.gateways import GatewayProcess, sentinel_run, write_config
from tests.support.upstreams import Upstream
from tests.tls.authority import Authority, Pair

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
SEVERAL = """
[server]
bind = ["127.0.0.1:0"]
quic_bind = "127.0.0.1:0"

[server.tls]
cert = "default.pem"
key = "default.key"
certificates = [{ cert = "one.pem", key = "one.key" }, { cert = "many.pem", key = "many.key" }]

[[route]]
path = "/"
respond = { status = 200, body = "served" }
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


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture(scope="module")
def several(tmp_path_factory: pytest.TempPathFactory, authority: Authority) -> Iterator[GatewayProcess]:
    """A gateway for ``default.test``, ``one.test`` and ``*.many.test``."""
    folder = tmp_path_factory.mktemp("several")
    for file, name in (("default", "default.test"), ("one", "one.test"), ("many", "*.many.test")):
        place(authority.server(name), folder, file)
    with sentinel_run(write_config(folder, SEVERAL)) as gateway:
        gateway.wait(lambda: "quic" in gateway.addresses, "datagrams' address")
        yield gateway


def place(pair: Pair, folder: Path, name: str) -> None:
    """Rename copies of both files into place."""
    for file, suffix in ((pair.cert, "pem"), (pair.key, "key")):
        shutil.copy(file, folder / "fresh").rename(folder / f"{name}.{suffix}")


def names(certificate: x509.Certificate) -> list[str]:
    extension = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName)
    return extension.value.get_values_for_type(x509.DNSName)


@pytest.mark.parametrize(
    ("asked", "shown", "statuses"),
    [
        ("one.test", "one.test", {b"one.test": 200, b"a.many.test": 421, b"default.test": 421}),
        ("ONE.test", "one.test", {b"one.test:443": 200}),
        ("a.many.test", "*.many.test", {b"b.many.test": 200, b"one.test": 421}),
        ("a.b.many.test", "default.test", {b"a.b.many.test": 200, b"a.many.test": 421}),
        ("unknown.test", "default.test", {b"unknown.test": 200, b"default.test": 200, b"one.test": 421}),
        (None, "default.test", {b"default.test": 200, b"one.test": 200}),
    ],
)
def test_the_server_name_chooses_the_certificate_and_the_hosts(
    several: GatewayProcess, asked: str | None, shown: str, statuses: dict[bytes, int]
) -> None:
    async def use() -> None:
        async with connected(several.addresses["quic"], name=asked) as client:
            assert names(client.certificate) == [shown]
            for host, status in statuses.items():
                assert (await client.answer(client.begin(host=host))).status == status

    asyncio.run(use())


def test_a_renewed_certificate_of_several_is_shown(several: GatewayProcess, authority: Authority) -> None:
    folder, address = several.folder, several.addresses["quic"]

    async def use() -> None:
        async with connected(address, name="one.test") as kept:
            place(authority.server("one.test"), folder, "one")
            await asyncio.to_thread(several.wait_for_log, SHOWN)
            async with connected(address, name="one.test") as fresh:
                assert names(fresh.certificate) == ["one.test"]
                assert fresh.certificate.serial_number != kept.certificate.serial_number
            async with connected(address, name="a.many.test") as other:
                assert names(other.certificate) == ["*.many.test"]
            assert (await kept.answer(kept.begin(host=b"one.test"))).status == 200
            assert (await kept.answer(kept.begin(host=b"a.many.test"))).status == 421

    asyncio.run(use())
