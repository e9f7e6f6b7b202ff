"""gRPC-Web, binary and as text: from the bytes of a browser's client to gRPC's own server."""

from __future__ import annotations

import asyncio
import base64
import gzip
from collections.abc import Iterator
from typing import Any

import pytest

from sentinel_host.errors import ClientError
from sentinel_host.gateway.grpc_web import GrpcWeb
from tests.grpc.service import running_service
from tests.support.clients import Answer, fetch
from tests.support.gateways import GatewayProcess, sentinel_run, write_config

CONFIG = """
[server]
bind = ["127.0.0.1:0"]

[[upstream]]
name = "services"
targets = ["{target}"]
protocol = "http/2"

[[route]]
path = "/test.Echo"
upstream = "services"
grpc_web = true

[[route]]
path = "/"
upstream = "services"
"""


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[GatewayProcess]:
    with running_service() as (_, target):
        config = write_config(tmp_path_factory.mktemp("web"), CONFIG.format(target=target))
        with sentinel_run(config) as running:
            yield running


def message(data: bytes) -> bytes:
    return b"\0" + len(data).to_bytes(4, "big") + data


def frames(body: bytes) -> list[tuple[int, bytes]]:
    """The flags and the content of each frame of a body."""
    found = []
    while body:
        size = int.from_bytes(body[1:5], "big")
        found.append((body[0], body[5 : 5 + size]))
        body = body[5 + size :]
    return found


def ask(gateway: GatewayProcess, method: str, body: bytes, kind: str, **more: str) -> Answer:
    headers = {"content-type": kind, "x-grpc-web": "1"} | more
    return fetch(gateway.public, f"/test.Echo/{method}", method="POST", headers=headers, body=body)


@pytest.mark.parametrize("kind", ["application/grpc-web+proto", "application/grpc-web-text"])
def test_a_call(gateway: GatewayProcess, kind: str) -> None:
    is_text = "text" in kind
    body = message(b"hello" * 1000)
    answer = ask(gateway, "Unary", base64.b64encode(body) if is_text else body, kind)
    # The service names no format of its messages, and the answer keeps that.
    assert (answer.status, answer.header("content-type")) == (200, kind.removesuffix("+proto"))
    assert answer.header("x-first") is not None
    raw = b"".join(base64.b64decode(part) for part in padded(answer.body)) if is_text else answer.body
    (flags, data), (trailer_flags, trailers) = frames(raw)
    assert (gzip.decompress(data) if flags else data, trailer_flags) == (b"hello" * 1000, 0x80)
    assert b"grpc-status: 0\r\n" in trailers
    assert b"x-last: 3\r\n" in trailers


def padded(body: bytes) -> list[bytes]:
    """The pieces that are padded by themselves."""
    pieces, at = [], 0
    while at < len(body):
        found = body.find(b"=", at)
        end = len(body) if found < 0 else found - found % 4 + 4
        pieces.append(body[at:end])
        at = end
    return pieces


def test_a_stream(gateway: GatewayProcess) -> None:
    answer = ask(gateway, "Count", message(b"3"), "application/grpc-web")
    found = frames(answer.body)
    assert [data for flags, data in found if not flags & 0x80] == [b"0", b"1", b"2"]
    assert found[-1][0] == 0x80


def test_a_failure(gateway: GatewayProcess) -> None:
    answer = ask(gateway, "Fail", message(b""), "application/grpc-web")
    said = dict(answer.headers)
    for flags, data in frames(answer.body):
        if flags & 0x80:
            said |= dict(line.split(": ", 1) for line in data.decode().split("\r\n") if line)
    assert (answer.status, said["grpc-status"]) == (200, "9")


def test_a_body_that_is_no_base64(gateway: GatewayProcess) -> None:
    answer = ask(gateway, "Unary", b"!!!!", "application/grpc-web-text")
    assert (answer.status, answer.header("grpc-status")) == (200, "13")


def test_a_route_that_does_not_ask_for_it(gateway: GatewayProcess) -> None:
    headers = {"content-type": "application/grpc-web"}
    answer = fetch(gateway.public, "/other", method="POST", headers=headers, body=message(b""))
    # The service gets what the client sent, and has no use for it.
    assert answer.status != 200 or answer.header("grpc-status") != "0"


def decode(*pieces: bytes) -> bytes:
    """What a text body in these pieces stands for."""

    async def main() -> bytes:
        left = list(pieces)

        async def receive() -> dict[str, Any]:
            piece = left.pop(0)
            return {"type": "http.request", "body": piece, "more_body": bool(left)}

        async def send(message: Any) -> None:
            raise AssertionError(message)

        web = GrpcWeb(b"application/grpc-web-text", receive, send)
        return b"".join([(await web.receive())["body"] for _ in pieces])

    return asyncio.run(main())


@pytest.mark.parametrize(
    "pieces",
    [
        [b"aGVsbG8="],
        [b"a", b"GVsb", b"G8", b"="],
        [b"aGU=bGxv"],
        [b"aA==ZQ==bGxv"],
        [b"aA=", b"=ZQ==bGxv", b""],
    ],
)
def test_base64_in_pieces(pieces: list[bytes]) -> None:
    assert decode(*pieces) == b"hello"


@pytest.mark.parametrize("pieces", [[b"aGVsbG8"], [b"a"], [b"=aGU"], [b"aG!="], [b"aGU=", b"b"]])
def test_what_is_no_base64(pieces: list[bytes]) -> None:
    with pytest.raises(ClientError, match="no base64"):
        decode(*pieces)
