"""Files that the configuration names change, and it does not: certificates, authorities, tokens,
keys.
"""

from __future__ import annotations

import itertools
import shutil
import signal
import socket
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from sentinel_host.cli import main
from tests.hotload.configuration import with_one_route
from tests.hotload.failing import config as config_with_guest
from tests.hotload.failing import version
from tests.hotload.operating import admin, ask, put, wait_for_answer
from tests.hotload.versions import config, running
from tests.supervisor.support import wait_until
from tests.support.certificates import self_signed
from tests.support.clients import fetch
from tests.support.clocks import PATIENCE
from tests.support.gateways import ARTEFACTS, GatewayProcess
from tests.support.upstreams import Upstream, running_upstream

both = pytest.mark.parametrize("workers", [1, 2])
GARBAGE = b"this is nothing"


def made(folder: Path, kind: str) -> tuple[bytes, bytes]:
    """The PEM of another certificate and its key, of this ``kind``: ``rsa`` or ``ec``."""
    folder.mkdir()
    certificate, key = self_signed(folder, rsa=kind == "rsa")
    return certificate.read_bytes(), key.read_bytes()


def shown(gateway: GatewayProcess) -> set[str]:
    """The certificates that connections are shown, by whichever worker."""
    return {ssl.get_server_certificate(gateway.public, timeout=PATIENCE) for _ in range(6)}


def replace(path: Path, content: bytes) -> None:
    """Rename a file into place."""
    fresh = path.with_name("fresh")
    fresh.write_bytes(content)
    fresh.rename(path)


@contextmanager
def connected(gateway: GatewayProcess) -> Iterator[ssl.SSLSocket]:
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    with socket.create_connection(gateway.public, PATIENCE) as raw, context.wrap_socket(raw) as connection:
        yield connection


def status(connection: ssl.SSLSocket) -> bytes:
    """Ask on a kept connection."""
    connection.sendall(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
    answer = b""
    while not answer.endswith(b"\r\n\r\n"):
        answer += connection.recv(65536)
    return answer.split(b" ")[1]


@pytest.mark.parametrize(("workers", "watch"), [(1, "false"), (2, "true")])
def test_a_certificate_is_replaced_by_its_files_content(
    upstream: Upstream, tmp_path: Path, workers: int, watch: str
) -> None:
    """With one worker nothing read it again, and SIGHUP said that the configuration says what it
    said before. What is not a pair keeps the old one; a key of another kind does not leave the old
    certificate beside the new one; and who is connected notices nothing.
    """
    pairs = [made(tmp_path / name, kind) for name, kind in (("one", "ec"), ("two", "ec"), ("three", "rsa"))]
    cert, key = tmp_path / "cert.pem", tmp_path / "key.pem"
    cert.write_bytes(pairs[0][0])
    key.write_bytes(pairs[0][1])
    text = config(upstream, workers=workers, guests=f"watch = {watch}", chain="")
    text = text.replace("workers =", 'tls = { cert = "cert.pem", key = "key.pem" }\nworkers =')

    def changed() -> None:
        if watch == "false":
            gateway.process.send_signal(signal.SIGHUP)

    with running(tmp_path, text, {}) as gateway, connected(gateway) as kept:
        assert status(kept) == b"200"
        assert shown(gateway) == {pairs[0][0].decode()}
        for chain, private in pairs[1:]:
            replace(cert, chain)
            replace(key, private)
            changed()
            wait_until(lambda chain=chain: shown(gateway) == {chain.decode()}, "the new certificate")
        for path, content, reason in (
            (cert, GARBAGE, f"server.tls.cert: {cert}: it holds no certificate in PEM"),
            (cert, pairs[0][0], f"server.tls.key: {key}: it is not the key of {cert}"),
            (key, GARBAGE, f"server.tls.key: {key}: it holds no private key in PEM without a passphrase"),
        ):
            path.write_bytes(content)
            changed()
            assert "the active one stays" in gateway.wait_for_log(reason)
            assert shown(gateway) == {pairs[2][0].decode()}
        key.unlink()
        changed()
        gateway.wait_for_log(f"server.tls.key: {key}: No such file or directory")
        key.write_bytes(pairs[0][1])
        changed()
        wait_until(lambda: shown(gateway) == {pairs[0][0].decode()}, "the certificate whose key has come")
        if workers == 1 or watch == "true":
            assert status(kept) == b"200"
        restarts = gateway.metric('sentinel_worker_restarts_total{worker="0"}')
        assert restarts == 0


@both
def test_an_upstreams_authorities_are_replaced_by_their_files_content(tmp_path: Path, workers: int) -> None:
    pairs = [made(tmp_path / name, "ec") for name in ("one", "two")]
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "one" / "cert.pem", tmp_path / "one" / "key.pem")
    ca = tmp_path / "ca.pem"
    ca.write_bytes(pairs[1][0])
    with running_upstream(context) as service:
        text = config(service, workers=workers, chain="").replace("[[route]]", 'ca = "ca.pem"\n\n[[route]]')
        with running(tmp_path, text, {}) as gateway:

            def statuses() -> set[int]:
                return {fetch(gateway.public).status for _ in range(6)}

            assert statuses() == {502}
            replace(ca, pairs[0][0])
            wait_until(lambda: statuses() == {200}, "trust in the upstream")
            ca.write_bytes(GARBAGE)
            assert "the active one stays" in gateway.wait_for_log(f"upstream[0].ca: {ca}: it holds no certificate")
            assert statuses() == {200}
            replace(ca, pairs[1][0])
            wait_until(lambda: statuses() == {502}, "no trust in it any more")


def test_a_directory_of_authorities_is_read_as_openssl_reads_it(tmp_path: Path) -> None:
    """What is not named by its hash is not trusted, and what comes is noticed."""
    certificate, _ = made(tmp_path / "one", "ec")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "one" / "cert.pem", tmp_path / "one" / "key.pem")
    other, _ = made(tmp_path / "two", "ec")
    folder = tmp_path / "authorities"
    folder.mkdir()
    (folder / "00000000.0").write_bytes(other)
    (folder / "notes.pem").write_bytes(certificate)
    with running_upstream(context) as service:
        text = config(service, chain="").replace("[[route]]", 'ca = "authorities"\n\n[[route]]')
        with running(tmp_path, text, {}) as gateway:
            assert fetch(gateway.public).status == 502
            (folder / "00000001.0").write_bytes(certificate)
            wait_until(lambda: fetch(gateway.public).status == 200, "trust in the upstream")


@both
def test_the_authorities_of_a_guests_calls_are_replaced_by_their_files_content(tmp_path: Path, workers: int) -> None:
    """A guest's outbound targets are part of how it was loaded: with other authorities it is
    another.
    """
    pairs = [made(tmp_path / name, "ec") for name in ("one", "two")]
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "one" / "cert.pem", tmp_path / "one" / "key.pem")
    ca = tmp_path / "ca.pem"
    ca.write_bytes(pairs[1][0])
    with running_upstream(context) as service, running_upstream() as origin:
        guests = f"""[guest.token-introspection]
grants = ["http-client", "kv", "clock"]
config = {{ endpoint = "{service.url}/introspect" }}
deadline = "1s"
[guest.token-introspection.http]
allow = ["{service.url}"]
networks = ["127.0.0.1/32"]
ca = "ca.pem"
"""
        text = with_one_route(
            server=f"workers = {workers}", guests=guests, target=origin.url, chain='"token-introspection"'
        )
        files = {"token-introspection": ARTEFACTS / "rust" / "token-introspection.wasm"}
        with running(tmp_path, text, files) as gateway:

            def asked() -> int:
                """How often the service has been asked once a client has asked."""
                fetch(gateway.public, headers={"authorization": f"Bearer {next(tokens)}"})
                return len(service.requests)

            # What was answered for a token may be remembered.
            tokens = itertools.count()
            assert asked() == 0
            replace(ca, pairs[0][0])
            wait_until(lambda: asked() > 0, "a call that the service has got")
            ca.write_bytes(GARBAGE)
            gateway.wait_for_log(f"guest.token-introspection.http.ca: {ca}: it holds no certificate")


@both
def test_an_admin_token_is_replaced_by_its_files_content(tmp_path: Path, workers: int) -> None:
    first, second = "first-token-of-many-characters", "second-token-of-many-characters"
    file = tmp_path / "secret"
    file.write_text(first)
    text = with_one_route(
        server=f'admin_token_file = "secret"\nworkers = {workers}', guests="", target="http://127.0.0.1:9", chain=""
    )
    with running(tmp_path, text, {}) as gateway:
        assert admin(gateway, "/guests", token=first).status == 200
        replace(file, second.encode())
        wait_until(lambda: admin(gateway, "/guests", token=second).status == 200, "the new token")
        assert admin(gateway, "/guests", token=first).status == 401
        file.write_text("short")
        gateway.wait_for_log(f"server.admin_token_file: {file}: expected 16 to 512 visible ASCII characters")
        assert admin(gateway, "/guests", token=second).status == 200
        assert second not in "".join(gateway.log)


@both
def test_keys_that_guests_are_signed_by_are_replaced_by_their_files_content(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, workers: int
) -> None:
    """What was refused for its key is tried again by itself."""
    monkeypatch.chdir(tmp_path)
    assert main(["keygen", "one"]) == main(["keygen", "two"]) == 0

    def signed(name: str, key: str, number: int) -> bytes:
        file = tmp_path / "versioned.wasm"
        file.write_bytes(version(name))
        assert main(["sign", str(file), "--key", f"{key}.key", "--version", str(number)]) == 0
        return file.read_bytes()

    keys = tmp_path / "release.pub"
    shutil.copy("one.pub", keys)
    text = config_with_guest(workers=workers) + '[guests]\nverify_keys = ["release.pub"]\ncache = "state"\n'
    with running(tmp_path, text, {"versioned": signed("first", "one", 1)}) as gateway:
        wait_for_answer(gateway, "first")
        put(gateway, signed("second", "two", 2))
        gateway.wait_for_log("which is not one of verify_keys")
        replace(keys, (tmp_path / "two.pub").read_bytes())
        wait_for_answer(gateway, "second", 6)
        keys.write_bytes(GARBAGE)
        gateway.wait_for_log("guests.verify_keys[0]: ")
        put(gateway, signed("third", "two", 3))
        wait_for_answer(gateway, "third", 6)
        assert ask(gateway)[0] == 200
