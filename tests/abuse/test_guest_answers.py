"""A guest that fails or answers with what may not stand on a socket answers 503, and no more: one
whose hooks C calls, and one that Python calls.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.abuse.conftest import abused
from tests.support.clients import exchange, fetch
from tests.support.gateways import GatewayProcess
from tests.support.guests import answering, edit, edit_response, respond, trapping
from tests.support.upstreams import Upstream

FORBIDDEN_FIELDS = [
    "connection",
    "content-length",
    "host",
    "keep-alive",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    ":path",
    ":status",
    "X-Upper",
    "x y",
    "x:",
    "",
    "x\r\ny",
    "x\x00",
    "\u00e9",
]
FORBIDDEN_VALUES = [b"a\r\nx-injected: 1", b"a\nb", b"a\rb", b"a\x00b", b"a\x7f", "text", 1, None]

REQUESTS: dict[str, bytes] = {
    "traps": trapping(),
    **{f"sets {name!r}": answering(edit(("set", name, b"1"))) for name in FORBIDDEN_FIELDS},
    **{f"appends {name!r}": answering(edit(("append", name, b"1"))) for name in FORBIDDEN_FIELDS[:9]},
    **{f"sets a value {value!r}": answering(edit(("set", "x", value))) for value in FORBIDDEN_VALUES},
    **{f"answers with {name!r}": answering(respond(200, [(name, b"1")])) for name in FORBIDDEN_FIELDS},
    **{f"answers with a value {value!r}": answering(respond(200, [("x", value)])) for value in FORBIDDEN_VALUES},
    **{
        f"answers with status {status!r}": answering(respond(status, []))
        for status in (0, 99, 100, 101, 103, 199, 600, 1000, -1, 1 << 32, "200", "200 OK\r\nx: 1", None, 2.0)
    },
    **{
        f"rewrites to {path!r}": answering(edit(path=path))
        for path in (
            "",
            "x",
            "*",
            "/a b",
            "/a\r\nx: 1",
            "//evil",
            "/../a",
            "/a/%2e%2e/b",
            "/a%2fb",
            "/a?b",
            "/a#b",
            "/\u00e9",
        )
    },
    **{
        f"makes it {method!r}": answering(edit(method=method)) for method in ("", "CONNECT", "G T", "GET\r\n", "\u00e9")
    },
    "a million headers": answering(raw=b"\x92\x00\x91\xdd\x00\x0f\x42\x40" + b"\x92\x00\x92\xa1x\xc4\x00" * 100_000),
    "a million headers in an answer": answering(
        raw=b"\x92\x01\x91\x93\xcc\xc8\xdd\x00\x0f\x42\x40" + b"\x92\xa1x\xc4\x00" * 100_000
    ),
    "129 headers": answering(edit(*[("append", "x", b"")] * 129)),
    "100 KiB of headers": answering(edit(*[("append", "x", b"y" * 1024)] * 100)),
    "one header of 100 KiB": answering(edit(("set", "x", b"y" * 102_400))),
    "a body of 2 MiB": answering(respond(200, [], b"y" * (2 << 20))),
    "a context of 100 KiB": answering([0, [[], b"y" * 102_400]]),
}
RESPONSES: dict[str, bytes] = {
    **{f"sets {name!r} on it": answering(response=edit_response(("set", name, b"1"))) for name in FORBIDDEN_FIELDS},
    **{
        f"sets a value {value!r} on it": answering(response=edit_response(("set", "x", value)))
        for value in FORBIDDEN_VALUES
    },
    **{f"makes it {status}": answering(response=edit_response(status=status)) for status in (0, 100, 101, 103, 600)},
    "129 headers on it": answering(response=edit_response(*[("append", "x", b"")] * 129)),
}
# The gateway tells it in place of the guest.
REQUEST_IDS = {
    "answers with a request id": answering(respond(200, [("x-request-id", b"mine")])),
    "sets a request id on it": answering(response=edit_response(("set", "x-request-id", b"mine"))),
}
ALL = REQUESTS | RESPONSES | REQUEST_IDS
GUESTS = {f"guest-{number}": guest for number, guest in enumerate(ALL.values())}
PATHS = dict(zip(ALL, [f"/{name}" for name in GUESTS], strict=True))
CONFIG = """
[server]
bind = ["127.0.0.1:0"]

[[upstream]]
name = "origin"
targets = ["UPSTREAM"]
""" + "".join(f'[[route]]\npath = "/{name}"\nupstream = "origin"\nchain = ["{name}"]\n' for name in GUESTS)

# With an instance for each request, none is idle: C leaves every call to Python.
WAYS = {"C": "", "Python": "".join(f'[guest."{name}"]\nisolation = "request"\n' for name in GUESTS)}


@pytest.fixture(scope="module", params=WAYS)
def gateway(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, shared_upstream: Upstream
) -> Iterator[GatewayProcess]:
    """The module's gateway, whose hooks are called in each way."""
    folder = tmp_path_factory.mktemp("gateway")
    with abused(CONFIG + WAYS[request.param], GUESTS, 0, folder, shared_upstream) as running:
        yield running


@pytest.mark.parametrize("case", REQUESTS)
def test_nothing_reaches_the_upstream(gateway: GatewayProcess, origin: Upstream, case: str) -> None:
    assert_clean(fetch_raw(gateway, PATHS[case]))
    assert origin.requests == []
    gateway.wait_for_log(f"guest {PATHS[case][1:]}: on-request: ")


@pytest.mark.parametrize("case", RESPONSES)
def test_nothing_reaches_the_client(gateway: GatewayProcess, origin: Upstream, case: str) -> None:
    assert_clean(fetch_raw(gateway, PATHS[case]))
    assert len(origin.requests) == 1
    gateway.wait_for_log(f"guest {PATHS[case][1:]}: on-response: ")


@pytest.mark.parametrize("case", REQUEST_IDS)
def test_the_request_id_is_the_gateways(gateway: GatewayProcess, origin: Upstream, case: str) -> None:
    answer = fetch(gateway.public, PATHS[case], headers={"x-request-id": "r-7"})
    assert answer.status == 200
    [request_id] = answer.values("x-request-id")
    assert len(request_id) == 32


@pytest.mark.parametrize("name", ["connection", "content-length", "transfer-encoding", "host"])
def test_the_refusal_names_the_field(gateway: GatewayProcess, origin: Upstream, name: str) -> None:
    path = PATHS[f"sets {name!r}"]
    fetch(gateway.public, path)
    assert f"header {name}: the gateway owns it" in gateway.wait_for_log(f"guest {path[1:]}: on-request: ")


def fetch_raw(gateway: GatewayProcess, path: str) -> bytes:
    return exchange(gateway.public, f"GET {path} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n".encode())


def assert_clean(reply: bytes) -> None:
    head, _, body = reply.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 503 ")
    names = {line.partition(b":")[0] for line in head.split(b"\r\n")[1:]}
    assert names == {b"content-type", b"content-length", b"x-request-id", b"date", b"connection"}
    assert body == b'{"error": "Service Unavailable"}'
