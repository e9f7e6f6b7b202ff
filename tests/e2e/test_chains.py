"""What a chain does to requests and responses, and who hears of the end."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.support.clients import Wire, fetch
from tests.support.gateways import ARTEFACTS, GatewayProcess
from tests.support.guests import answering, edit, edit_response, respond, trapping
from tests.support.upstreams import Upstream
from tests.support.upstreams import answering as saying

CONFIG = """
[server]
bind = ["127.0.0.1:0"]

[guest.api-key-auth]
config = { keys = { key = "demo" } }

[guest.open-trapping]
on_failure = "open"

[guest.open-missing]
on_failure = "open"

[[upstream]]
name = "origin"
targets = ["UPSTREAM"]

[[upstream]]
name = "nobody"
targets = ["http://127.0.0.1:1"]

[[route]]
path = "/"
upstream = "origin"
chain = ["access-log"]

[[route]]
path = "/layers"
upstream = "origin"

[[route.chain]]
guest = "header-injection"
config = { request = { append = { x-seen = "first" } }, response = { append = { x-passed = "first" } } }

[[route.chain]]
guest = "access-log"

[[route.chain]]
guest = "api-key-auth"

[[route.chain]]
guest = "header-injection"
config = { request = { append = { x-seen = "last" } }, response = { append = { x-passed = "last" } } }

[[route]]
path = "/nobody"
upstream = "nobody"
chain = ["access-log", { guest = "header-injection", config = { response = { set = { x-passed = "yes" } } } }]

[[route]]
path = "/trapping"
upstream = "origin"
chain = ["access-log", "trapping"]

[[route]]
path = "/open-trapping"
upstream = "origin"
chain = ["access-log", "open-trapping"]

[[route]]
path = "/missing"
upstream = "origin"
chain = ["access-log", "missing"]

[[route]]
path = "/open-missing"
upstream = "origin"
chain = ["access-log", "open-missing"]

[[route]]
path = "/sees-a-header"
upstream = "origin"
chain = ["adds-key", "api-key-auth"]

[[route]]
path = "/to-head"
upstream = "origin"
chain = ["to-head"]

[[route]]
path = "/to-204"
upstream = "origin"
chain = ["to-204"]

[[route]]
path = "/to-200"
upstream = "origin"
chain = ["to-200"]

[[route]]
path = "/other-answer"
upstream = "origin"
chain = ["other-answer"]

[[route]]
path = "/with-forwarded"
upstream = "origin"
chain = ["with-forwarded"]

[[route]]
path = "/answers"
upstream = "origin"
chain = ["answers"]
"""
GUESTS = {
    "access-log": ARTEFACTS / "rust" / "access-log.wasm",
    "api-key-auth": ARTEFACTS / "assemblyscript" / "api-key-auth.wasm",
    "header-injection": ARTEFACTS / "rust" / "header-injection.wasm",
    "trapping": trapping(),
    "open-trapping": trapping(),
    "adds-key": answering(edit(("set", "x-api-key", b"key"))),
    "to-head": answering(edit(method="HEAD")),
    "to-204": answering(response=edit_response(status=204)),
    "to-200": answering(response=edit_response(status=200)),
    "other-answer": answering(response=[1, [418, [["x-tea", b"yes"]], b"short"]]),
    "answers": answering(respond(200, [["x-request-id", b"its own"]], b"hello")),
    "with-forwarded": answering(
        edit(
            *[
                ("append", name, b"forged")
                for name in ("x-forwarded-for", "x-forwarded-host", "forwarded", "x-request-id")
            ]
        )
    ),
}


def logged(gateway: GatewayProcess, request_id: str | None) -> dict[str, Any]:
    """What access-log wrote of a request."""
    records: list[dict[str, Any]] = []

    def found() -> bool:
        lines = [line for line in gateway.guest_lines("access-log") if line["request_id"] == request_id]
        records[:] = [json.loads(line["message"]) for line in lines]
        return bool(records)

    gateway.wait(found, f"access log line of {request_id}")
    (record,) = records
    return record


def test_edits_pass_down_the_chain_and_responses_up(shared_gateway: GatewayProcess, origin: Upstream) -> None:
    answer = fetch(shared_gateway.public, "/layers", headers={"x-api-key": "key", "x-seen": "client"})
    (received,) = origin.requests
    assert received.values("x-seen") == ["client", "first", "last"]
    assert answer.values("x-passed") == ["last", "first"]


def test_a_guest_sees_what_the_one_before_it_set(shared_gateway: GatewayProcess, origin: Upstream) -> None:
    assert fetch(shared_gateway.public, "/sees-a-header").status == 200
    assert origin.requests[0].values("x-principal") == ["demo"]


def test_a_guest_s_answer_passes_only_the_guests_before_it(shared_gateway: GatewayProcess, origin: Upstream) -> None:
    answer = fetch(shared_gateway.public, "/layers")
    assert (answer.status, answer.values("x-passed")) == (401, ["first"])
    assert origin.requests == []
    record = logged(shared_gateway, answer.header("x-request-id"))
    assert (record["status"], record["route"], record["outcome"]) == (401, "/layers", "completed")
    assert record["bytes"] == len(answer.body)
    assert "upstream" not in record


def test_a_502_passes_the_response_hooks_and_is_logged(shared_gateway: GatewayProcess) -> None:
    answer = fetch(shared_gateway.public, "/nobody?a=b")
    assert (answer.status, answer.header("x-passed")) == (502, "yes")
    record = logged(shared_gateway, answer.header("x-request-id"))
    assert (record["status"], record["upstream"], record["query"]) == (502, "nobody", "a=b")


def test_an_upload_and_its_response_are_measured(shared_gateway: GatewayProcess, origin: Upstream) -> None:
    answer = fetch(shared_gateway.public, "/sum", method="POST", body=b"x" * 1000)
    record = logged(shared_gateway, answer.header("x-request-id"))
    assert (record["request_bytes"], record["bytes"], record["status"], record["path"]) == (1000, 5, 200, "/sum")


def test_a_response_that_the_client_left_is_logged_as_aborted(shared_gateway: GatewayProcess, origin: Upstream) -> None:
    origin.handler = saying(b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\npart")
    with Wire(shared_gateway.public) as client:
        client.get()
        request_id = client.head().header("x-request-id")
        assert client.exactly(4) == b"part"
        client.reset()
    assert logged(shared_gateway, request_id)["outcome"] == "client-aborted"


def test_a_response_that_broke_off_is_logged_as_aborted_by_the_upstream(
    shared_gateway: GatewayProcess, origin: Upstream
) -> None:
    origin.handler = saying(b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\npart", then_close=True)
    with Wire(shared_gateway.public) as client:
        client.get()
        head = client.head()
        assert client.rest() == b"part"
    record = logged(shared_gateway, head.header("x-request-id"))
    assert (record["status"], record["outcome"], record["bytes"]) == (200, "upstream-aborted", 4)


@pytest.mark.parametrize("path", ["/trapping", "/missing"])
def test_a_guest_that_fails_closed_answers_503(shared_gateway: GatewayProcess, origin: Upstream, path: str) -> None:
    answer = fetch(shared_gateway.public, path, method="POST", body=b"x" * 100_000)
    assert (answer.status, answer.json()) == (503, {"error": "Service Unavailable"})
    assert origin.requests == []
    assert logged(shared_gateway, answer.header("x-request-id"))["status"] == 503
    assert fetch(shared_gateway.public, "/others").status == 200


@pytest.mark.parametrize("path", ["/open-trapping", "/open-missing"])
def test_a_guest_that_fails_open_is_skipped_loudly(shared_gateway: GatewayProcess, origin: Upstream, path: str) -> None:
    answer = fetch(shared_gateway.public, path)
    assert (answer.status, answer.body) == (200, b"hello")
    request_id = answer.header("x-request-id")
    shared_gateway.wait_for_log(f"(request {request_id})")
    assert logged(shared_gateway, request_id)["status"] == 200


def test_a_get_that_a_guest_makes_head_has_an_empty_answer(shared_gateway: GatewayProcess, origin: Upstream) -> None:
    """The upstream answers HEAD with the length of the body that it leaves out; passed on to a
    client who sent GET, that length promised a body that never came, and the server failed.
    """
    answer = fetch(shared_gateway.public, "/to-head")
    assert origin.requests[0].method == "HEAD"
    assert (answer.status, answer.body, answer.header("content-length")) == (200, b"", "0")


def test_a_304_that_a_guest_makes_200_is_empty(shared_gateway: GatewayProcess, origin: Upstream) -> None:
    """A 304 may tell the length of what it does not carry (RFC 9110 section 8.6); the client of the
    200 waited.
    """
    origin.handler = saying(b"HTTP/1.1 304 Not Modified\r\ncontent-length: 1000\r\netag: x\r\n\r\n")
    answer = fetch(shared_gateway.public, "/to-200")
    assert (answer.status, answer.body, answer.header("content-length")) == (200, b"", "0")


def test_a_response_that_a_guest_makes_204_loses_its_body(shared_gateway: GatewayProcess, origin: Upstream) -> None:
    """Its Content-Length stayed, which RFC 9110 section 8.6 forbids: a reader that trusts it loses
    the connection.
    """
    with Wire(shared_gateway.public) as client:
        for _ in range(2):
            client.get("/to-204")
            answer = client.answer()
            assert (answer.status, answer.header("content-length")) == (204, None)


def test_a_guest_replaces_a_response_that_is_still_on_its_way(shared_gateway: GatewayProcess, origin: Upstream) -> None:
    origin.handler = saying(
        b"HTTP/1.1 200 OK\r\ncontent-length: 1000000\r\ncontent-encoding: br\r\n\r\n" + b"x" * 500_000
    )
    answer = fetch(shared_gateway.public, "/other-answer")
    assert (answer.status, answer.body, answer.header("x-tea")) == (418, b"short", "yes")
    assert answer.header("content-encoding") is None
    assert answer.header("x-request-id")


def test_what_the_gateway_says_of_the_client_is_said_once(shared_gateway: GatewayProcess, origin: Upstream) -> None:
    """A guest that named one of these fields made a second of it, and upstreams differ in which one
    they believe.
    """
    assert fetch(shared_gateway.public, "/with-forwarded").status == 200
    (received,) = origin.requests
    for name in ("x-forwarded-for", "x-forwarded-host", "forwarded", "x-request-id"):
        (value,) = received.values(name)
        assert "forged" not in value


def test_a_guest_s_answer_has_one_request_id(shared_gateway: GatewayProcess, origin: Upstream) -> None:
    """A guest's own x-request-id used to stand beside the gateway's, so that logs and clients
    disagreed.
    """
    (value,) = fetch(shared_gateway.public, "/answers").values("x-request-id")
    assert value != "its own"
