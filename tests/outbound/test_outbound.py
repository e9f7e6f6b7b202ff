"""HTTP calls of guests against real servers: what is allowed, how long, how much, and hostile
answers.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Awaitable, Callable, Iterator
from typing import Any

import msgpack
import pytest

from sentinel_host.config import Bytes, HttpClientConfig, Seconds
from sentinel_host.gateway.outbound import Outbound
from sentinel_host.messages import HttpError
from sentinel_host.net import Names
from tests.support.names import KnownNames
from tests.support.upstreams import Received, Upstream, answering, running_upstream

LOOPBACK = ["127.0.0.1/32"]


@pytest.fixture
def service() -> Iterator[Upstream]:
    with running_upstream() as running:
        yield running


def request(url: str, method: str = "GET", headers: Any = (), body: bytes = b"", timeout: int | None = None) -> bytes:
    return bytes(msgpack.packb([method, url, list(headers), body, timeout]))


def asking(
    settings: HttpClientConfig,
    *requests: bytes,
    admin: tuple[str, int] | None = None,
    known: dict[str, list[str]] | None = None,
) -> list[tuple[int, Any]]:
    """What comes of some calls, one after the other: the error, and the answer as values.

    With ``known`` there are only these names.
    """

    async def main() -> list[tuple[int, Any]]:
        names = Names() if known is None else KnownNames(known)
        outbound = Outbound("guest", settings, admin, names)
        try:
            answers = [await outbound.fetch(data, "r-1") for data in requests]
        finally:
            await outbound.close()
            names.close()
        return [(error, msgpack.unpackb(answer) if answer else None) for error, answer in answers]

    return asyncio.run(main())


def config(service: Upstream, **options: Any) -> HttpClientConfig:
    return HttpClientConfig(allow=[service.url], networks=LOOPBACK, **options)


def test_a_request_and_its_answer(service: Upstream) -> None:
    headers = b"x-a: 1\r\nx-a: 2\r\nconnection: keep-alive\r\ncontent-length: 2\r\n"
    service.handler = answering(b"HTTP/1.1 418 Teapot\r\n" + headers + b"\r\nok")
    url = f"{service.url}/path?q=1"
    first, second = asking(config(service), request(url, "POST", [["x-b", b"3"]], b"body"), request(url))
    assert first == (-1, [418, [["x-a", b"1"], ["x-a", b"2"]], b"ok"])
    assert second[0] == -1
    assert service.connections == 1
    sent = service.requests[0]
    assert (sent.line, sent.body) == ("POST /path?q=1 HTTP/1.1", b"body")
    assert (sent.values("host"), sent.values("x-b")) == ([service.url.removeprefix("http://")], ["3"])


@pytest.mark.parametrize(
    ("url", "target"), [("{}", "/"), ("{}?a", "/?a"), ("{}/a/../b", "/a/../b"), ("{}//x@y", "//x@y")]
)
def test_what_becomes_of_the_url(service: Upstream, url: str, target: str) -> None:
    assert asking(config(service), request(url.format(service.url)))[0][0] == -1
    assert service.requests[0].target == target


def test_targets_are_compared_by_scheme_host_and_port(service: Upstream) -> None:
    port = service.port
    urls = [
        f"http://127.0.0.1:{port + 1}/",
        f"https://127.0.0.1:{port}/",
        f"http://localhost:{port}/",
        f"http://127.0.0.1.example:{port}/",
        "http://127.0.0.1/",
        f"http://[::ffff:127.0.0.1]:{port}/",
    ]
    assert [error for error, _ in asking(config(service), *map(request, urls))] == [HttpError.DENIED] * len(urls)
    assert asking(config(service), request(f"http://127.0.0.1:{port}/"))[0][0] == -1
    assert len(service.requests) == 1


@pytest.mark.parametrize(
    "url",
    [
        "",
        "127.0.0.1",
        "ftp://a/",
        "http://",
        "http:///",
        "http://user@{}/",
        "http://{}@evil/",
        "http://{}/a b",
        "http://{}/a\r\nx: y",
        "http://{}/#f",
        "http://{}\\@evil/",
        "http://{}:0/",
        "http://{}:99999/",
        "http://{}/\x00",
        "http://{}/ü",
    ],
)
def test_what_is_no_url_is_not_asked(service: Upstream, url: str) -> None:
    authority = service.url.removeprefix("http://")
    ((error, _),) = asking(config(service), request(url.format(authority)))
    assert error in (HttpError.INVALID, HttpError.DENIED)
    assert service.requests == []


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\xc0",
        b"\xff",
        bytes(msgpack.packb(["GET"])),
        bytes(msgpack.packb([1, "http://a/"])),
        bytes(msgpack.packb(["G T", "http://a/"])),
        bytes(msgpack.packb(["CONNECT", "http://a/"])),
        bytes(msgpack.packb(["GET", "http://a/", [["host", b"x"]]])),
        bytes(msgpack.packb(["GET", "http://a/", [["x", b"a\r\nb: c"]]])),
        bytes(msgpack.packb(["GET", "http://a/", [["transfer-encoding", b"chunked"]]])),
        bytes(msgpack.packb(["GET", "http://a/", [], "text"])),
        bytes(msgpack.packb(["GET", "http://a/", [], b"", -1])),
    ],
)
def test_what_breaks_the_contract_is_not_asked(data: bytes) -> None:
    assert asking(HttpClientConfig(allow=["http://a"]), data) == [(HttpError.INVALID, None)]


def test_an_allowed_name_with_a_denied_address(service: Upstream) -> None:
    """Who answers for a name must not choose an address of this machine."""
    settings = HttpClientConfig(allow=[f"http://localhost:{service.port}"])
    assert asking(settings, request(f"http://localhost:{service.port}/")) == [(HttpError.DENIED, None)]
    literal = HttpClientConfig(allow=[service.url])
    assert asking(literal, request(f"{service.url}/")) == [(HttpError.DENIED, None)]
    assert service.connections == 0


@pytest.mark.parametrize("addresses", [["127.0.0.1", "127.0.0.2"], ["127.0.0.2", "127.0.0.1"]])
def test_a_denied_address_among_others_is_not_connected_to(service: Upstream, addresses: list[str]) -> None:
    """Neither first, nor when the allowed ones before it refuse; nor once it has worked for
    nobody.
    """
    url = f"http://some.test:{service.port}"
    settings = HttpClientConfig(allow=[url], networks=["127.0.0.2/32"])
    answers = asking(settings, *[request(f"{url}/")] * 3, known={"some.test": addresses})
    assert answers == [(HttpError.UNREACHABLE, None)] * 3
    assert service.connections == 0


def test_the_admin_listener_is_denied(service: Upstream) -> None:
    denied = asking(config(service), request(f"{service.url}/"), admin=("127.0.0.1", service.port))
    assert denied == [(HttpError.DENIED, None)]
    assert service.connections == 0


def test_redirects_are_not_followed(service: Upstream) -> None:
    service.handler = answering(b"HTTP/1.1 302 Found\r\nlocation: http://127.0.0.1:1/\r\ncontent-length: 0\r\n\r\n")
    ((error, answer),) = asking(config(service), request(f"{service.url}/"))
    assert (error, answer[:2]) == (-1, [302, [["location", b"http://127.0.0.1:1/"]]])


def endless(head: bytes, piece: bytes, pause: float) -> Callable[..., Awaitable[None]]:
    async def handler(received: Received, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(head)
        while True:
            writer.write(piece)
            await writer.drain()
            await asyncio.sleep(pause)

    return handler


CHUNKED = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n"


@pytest.mark.parametrize(
    "handler",
    [
        pytest.param(endless(b"", b"", 0.05), id="silent"),
        pytest.param(endless(b"HTTP/1.1 200 OK\r\n", b"x: y\r\n", 0.05), id="slow head"),
        pytest.param(endless(CHUNKED, b"1\r\nx\r\n", 0.05), id="slow body"),
        pytest.param(endless(b"", b"HTTP/1.1 102 Processing\r\n\r\n", 0.2), id="1xx for ever"),
    ],
)
def test_slow_answers_end_in_time(service: Upstream, handler: Any) -> None:
    service.handler = handler
    ((error, _),) = asking(config(service, timeout=Seconds(0.5)), request(f"{service.url}/"))
    assert error in (HttpError.TIMEOUT, HttpError.UNREACHABLE)


def test_a_guest_may_be_less_patient_and_not_more(service: Upstream) -> None:
    service.handler = endless(CHUNKED, b"1\r\nx\r\n", 0.05)
    url = f"{service.url}/"
    answers = asking(config(service, timeout=Seconds(1)), request(url, timeout=100), request(url, timeout=2**32 - 1))
    assert [error for error, _ in answers] == [HttpError.TIMEOUT] * 2


@pytest.mark.parametrize(
    "handler",
    [
        pytest.param(endless(CHUNKED, b"1000\r\n" + b"x" * 4096 + b"\r\n", 0), id="chunked"),
        pytest.param(endless(b"HTTP/1.1 200 OK\r\n\r\n", b"x" * 4096, 0), id="until close"),
        pytest.param(answering(b"HTTP/1.1 200 OK\r\ncontent-length: 10001\r\n\r\n" + b"x" * 10001), id="length"),
    ],
)
def test_endless_answers_are_cut(service: Upstream, handler: Any) -> None:
    """What a guest gets is bounded, too."""
    service.handler = handler
    ((error, _),) = asking(config(service, response=Bytes(10_000), timeout=Seconds(20)), request(f"{service.url}/"))
    assert error == HttpError.TOO_LARGE


def test_an_answer_of_just_the_limit(service: Upstream) -> None:
    service.handler = answering(b"HTTP/1.1 200 OK\r\ncontent-length: 10000\r\n\r\n" + b"x" * 10_000)
    ((error, answer),) = asking(config(service, response=Bytes(10_000)), request(f"{service.url}/"))
    assert (error, len(answer[2])) == (-1, 10_000)


@pytest.mark.parametrize(
    "raw",
    [
        b"garbage\r\n\r\n",
        b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\ncontent-length: 6\r\n\r\nhello!",
        b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhel",
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n",
        b"HTTP/1.1 200 OK\r\nx: " + b"y" * 100_000 + b"\r\n\r\n",
    ],
)
def test_answers_that_are_not_http(service: Upstream, raw: bytes) -> None:
    service.handler = answering(raw, then_close=True)
    assert asking(config(service), request(f"{service.url}/", "POST")) == [(HttpError.UNREACHABLE, None)]


def test_nobody_there() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{free.getsockname()[1]}"
        settings = HttpClientConfig(allow=[url, "http://name.invalid"], networks=LOOPBACK)
        answers = asking(settings, request(url), request("http://name.invalid/"))
    assert [error for error, _ in answers] == [HttpError.UNREACHABLE] * 2


def test_a_cancelled_call_closes_its_connection(service: Upstream) -> None:
    arrived = asyncio.Event()
    left = []

    async def handler(received: Received, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        loop.call_soon_threadsafe(arrived.set)
        left.append(await reader.read())
        loop.call_soon_threadsafe(gone.set)

    async def main() -> None:
        outbound = Outbound("guest", config(service), None, Names())
        call = asyncio.ensure_future(outbound.fetch(request(f"{service.url}/"), "r"))
        await arrived.wait()
        call.cancel()
        with pytest.raises(asyncio.CancelledError):
            await call
        await gone.wait()
        await outbound.close()

    gone = asyncio.Event()
    service.handler = handler
    with asyncio.Runner() as runner:
        loop = runner.get_loop()
        runner.run(main())
    assert left == [b""]


def test_an_empty_query_is_not_an_absent_one(service: Upstream) -> None:
    asking(config(service), *[request(f"{service.url}{rest}") for rest in ("/p?", "/p", "?", "")])
    assert [received.target for received in service.requests] == ["/p?", "/p", "/?", "/"]


@pytest.mark.parametrize(
    "url", ["http://u:hidden@other/", "http://u:hidden@other:x/", "ftp://u:hidden@other/", "u:hidden@"]
)
def test_no_line_shows_a_password(service: Upstream, caplog: pytest.LogCaptureFixture, url: str) -> None:
    asking(config(service), request(url))
    (line,) = [record.getMessage() for record in caplog.records if "http-client" in record.getMessage()]
    assert "hidden" not in line


def test_failures_are_said_once_a_second(service: Upstream, caplog: pytest.LogCaptureFixture) -> None:
    asking(config(service), *[request("http://other/")] * 50)
    lines = [record.getMessage() for record in caplog.records if "http-client" in record.getMessage()]
    assert lines[0] == "guest guest: http-client: http://other is not among its targets (request r-1)"
    assert len(lines) < 10
