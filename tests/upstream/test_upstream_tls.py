"""TLS towards upstreams: verified against the target's name, or 502."""

from __future__ import annotations

import asyncio
import socket
import ssl
import subprocess
from functools import partial

import pytest
import uvloop

from sentinel_host.errors import UpstreamError
from sentinel_host.http.client import Timeouts, UpstreamRequest, client_context
from tests.support.names import KnownNames
from tests.upstream.support import OK, Source, Upstream, drain, get, run_on

BODY = bytes(range(256)) * 8192


@pytest.fixture(params=[asyncio.new_event_loop, uvloop.new_event_loop], ids=["asyncio", "uvloop"])
def run(request):
    """These tests say themselves who speaks TLS."""
    return partial(run_on, request.param, None)


@pytest.fixture(scope="module")
def certificates(tmp_path_factory):
    """A CA, another CA, and a certificate of the first for localhost, made by the openssl
    command.
    """
    folder = tmp_path_factory.mktemp("certificates")

    def openssl(*arguments):
        subprocess.run(["openssl", *arguments], cwd=folder, check=True, capture_output=True)

    key = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2")
    for name in ("ca", "other"):
        openssl("req", "-x509", *key, "-keyout", f"{name}.key", "-out", f"{name}.pem", "-subj", f"/CN=Test {name}")
    openssl("req", *key[:-2], "-keyout", "server.key", "-out", "server.csr", "-subj", "/CN=upstream")
    (folder / "extensions").write_text("subjectAltName=DNS:localhost\nbasicConstraints=CA:FALSE\n")
    openssl(
        *("x509", "-req", "-in", "server.csr", "-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial"),
        *("-days", "2", "-extfile", "extensions", "-out", "server.pem"),
    )
    return folder


def server_context(folder, seen):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "server.pem", folder / "server.key")
    context.set_alpn_protocols(["h2", "http/1.1"])
    context.sni_callback = lambda sock, name, _: seen.append(name)
    return context


async def echo(peer):
    while True:
        await peer.head()
        body = await peer.exactly(len(BODY))
        await peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body) + body)


def test_a_verified_upstream(run, certificates):
    seen = []

    async def main():
        context = client_context(str(certificates / "ca.pem"))
        async with Upstream(echo, tls=server_context(certificates, seen)) as upstream:
            pool = upstream.pool(scheme="https", host="localhost", ssl_context=context)
            for body in (BODY, Source(BODY[:1000], BODY[1000:])):
                request = get(method=b"PUT", body=body, content_length=len(BODY))
                assert await drain(await pool.send(request)) == BODY
            assert (pool.connects, pool.reuses) == (1, 1)
            await pool.close()

    run(main)
    assert seen == ["localhost"]


def test_the_root_of_a_name_is_neither_asked_for_nor_verified(run, certificates):
    """``localhost.`` went out as SNI with its dot, which no certificate has (RFC 6066 section
    3).
    """
    seen, heads = [], []

    async def script(peer):
        heads.append(await peer.head())
        await peer.send(b"HTTP/1.1 204 No Content\r\n\r\n")
        await peer.closed()

    async def main():
        context = client_context(str(certificates / "ca.pem"))
        async with Upstream(script, tls=server_context(certificates, seen)) as upstream:
            names = KnownNames({"localhost.": ["127.0.0.1"]})
            pool = upstream.pool(scheme="https", host="localhost.", ssl_context=context, names=names)
            assert (await pool.send(UpstreamRequest(b"GET", b"/", [], pool.authority))).status == 204
            assert b"\r\nhost: localhost.:%d\r\n" % upstream.port in heads[0].lower()
            await pool.close()

    run(main)
    assert seen == ["localhost"]


@pytest.mark.parametrize(
    ("ca", "host", "reason"),
    [
        ("other.pem", "localhost", "certificate"),
        ("ca.pem", "127.0.0.1", "127.0.0.1"),
        (None, "localhost", "certificate"),
    ],
    ids=["another CA", "another name", "the system's CAs"],
)
def test_a_certificate_that_does_not_verify_is_502(run, certificates, ca, host, reason):
    async def main():
        context = client_context(str(certificates / ca)) if ca else None
        async with Upstream(echo, tls=server_context(certificates, [])) as upstream:
            pool = upstream.pool(scheme="https", host=host, ssl_context=context)
            with pytest.raises(UpstreamError, match=f"its certificate was not accepted: .*{reason}") as raised:
                await pool.send(get())
            assert raised.value.status == 502
            assert (pool.open, pool.failures) == (0, 1)
            await pool.close()

    run(main)


def test_tls_to_an_upstream_without_it_is_502(run):
    async def script(peer):
        await peer.some()
        await peer.send(b"HTTP/1.1 400 Bad Request\r\n\r\n")

    async def main():
        async with Upstream(script) as upstream:
            pool = upstream.pool(scheme="https", host="localhost", ssl_context=client_context())
            with pytest.raises(UpstreamError, match="the TLS handshake failed") as raised:
                await pool.send(get())
            assert raised.value.status == 502
            await pool.close()

    run(main)


def test_an_address_that_keeps_silent_in_the_handshake_is_passed_over(run, certificates):
    """So is one with a certificate of its own; both come last from then on."""

    async def answer(peer):
        await peer.head()
        await peer.send(OK)

    async def main():
        context = client_context(str(certificates / "ca.pem"))
        stranger = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        stranger.load_cert_chain(certificates / "other.pem", certificates / "other.key")
        async with Upstream(answer, tls=server_context(certificates, [])) as upstream:
            other = await asyncio.start_server(lambda *_: None, "127.0.0.3", upstream.port, ssl=stranger)
            with socket.create_server(("127.0.0.2", upstream.port)):
                names = KnownNames({"localhost": ["127.0.0.3", "127.0.0.2", "127.0.0.1"]})
                timeouts = Timeouts(connect=10.0)
                pool = upstream.pool(
                    scheme="https", host="localhost", names=names, ssl_context=context, timeouts=timeouts
                )
                assert await drain(await pool.send(get())) == b"ok"
                assert await pool.connector.addresses.find() == ["127.0.0.1", "127.0.0.3", "127.0.0.2"]
                await pool.close()
            other.close()

    run(main)
