from __future__ import annotations

from typing import Any

import msgspec
import pytest

from sentinel_host.export.spans import spans_of
from sentinel_host.observe import Change, HookRecord, RequestRecord, TryRecord
from tests.observe.collectors import attributes

RECORD = RequestRecord(
    id="r1",
    why="sampled",
    worker=1,
    started_at=1_700_000_000_000_000,
    route="all",
    method="GET",
    scheme="https",
    authority="[2001:db8::1]:8443",
    path="/",
    query=None,
    client="::1",
    http_version="2",
    trace_id="4bf92f3577b34da6a3ce929d0e0e4736",
    span_id="00f067aa0ba902b7",
    status=200,
    duration=1500,
)


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        (
            {},
            {"server.address": "2001:db8::1", "server.port": 8443, "network.protocol.version": "2", "error.type": None},
        ),
        ({"authority": "gateway.example"}, {"server.address": "gateway.example", "server.port": None}),
        ({"method": "BREW"}, {"http.request.method": "_OTHER", "http.request.method_original": "BREW"}),
        ({"status": 503}, {"http.response.status_code": 503, "error.type": "503"}),
        ({"status": 404}, {"http.response.status_code": 404, "error.type": None}),
        ({"outcome": "client-aborted"}, {"error.type": "client-aborted"}),
        (
            {"content_type": "application/grpc+proto", "path": "/pkg.Greeter/SayHello"},
            {"rpc.system": "grpc", "rpc.service": "pkg.Greeter", "rpc.method": "SayHello"},
        ),
        ({"grpc_status": 0}, {"rpc.grpc.status_code": 0, "error.type": None}),
        # The caller's fault, and the server's.
        ({"grpc_status": 5}, {"rpc.grpc.status_code": 5, "error.type": None}),
        ({"grpc_status": 14}, {"rpc.grpc.status_code": 14, "error.type": "14"}),
    ],
)
def test_a_request_is_told_by_the_semantic_conventions(changes: dict[str, Any], expected: dict[str, Any]) -> None:
    (span,) = spans_of(msgspec.structs.replace(RECORD, **changes))
    told = attributes(span)
    assert {key: told.get(key) for key in expected} == expected


def test_tries_and_hooks_are_spans_of_their_own_within_the_request() -> None:
    record = msgspec.structs.replace(
        RECORD,
        tries=[TryRecord("http://a:1", 100, 200, error="connect"), TryRecord("http://b:2", 400, 50, 200)],
        hooks=[HookRecord("auth", "0" * 64, "on-request", 10, 20, outcome="failed", error="unreachable")],
    )
    request, first, second, hook = spans_of(record)
    assert request.end_time_unix_nano - request.start_time_unix_nano == 1_500_000
    assert first.start_time_unix_nano - request.start_time_unix_nano == 100_000
    assert (attributes(first)["error.type"], "http.request.resend_count" in attributes(first)) == ("connect", False)
    assert (attributes(second)["http.request.resend_count"], attributes(second)["server.port"]) == (1, 2)
    assert (hook.name, hook.status.message) == ("auth on-request", "unreachable")
    assert len({span.span_id for span in (request, first, second, hook)}) == 4


@pytest.mark.parametrize(
    ("query", "changes", "expected"),
    [
        (None, [], ("GET", "http://a:1/", "/")),
        ("b=1", [], ("GET", "http://a:1/?b=1", "/")),
        (
            "b=1",
            [
                Change("header", "path", (), ("/no",)),
                Change("path", before=("/",), after=("/c",)),
                Change("query", before=("b=1",), after=("",)),
                Change("method", before=("GET",), after=("PUT",)),
            ],
            ("PUT", "http://a:1/c", "/c"),
        ),
    ],
)
def test_a_try_tells_what_the_upstream_was_asked_for(
    query: str | None, changes: list[Change], expected: tuple[str, str, str]
) -> None:
    hook = HookRecord("rewrite", "0" * 64, "on-request", 10, outcome="edited", changes=changes)
    record = msgspec.structs.replace(RECORD, query=query, tries=[TryRecord("http://a:1", 100, 200)], hooks=[hook])
    told = attributes(spans_of(record)[1])
    assert (told["http.request.method"], told["url.full"], told["url.path"]) == expected
