"""What a collector gets, decoded with the published protobufs."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status

from tests.observe.collectors import CollectorServer, attributes, collector_server
from tests.observe.support import GUESTS, KEY, exporting
from tests.supervisor.support import wait_until
from tests.support.clients import fetch
from tests.support.gateways import GatewayProcess, sentinel_run, write_config
from tests.support.upstreams import Upstream

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
PARENT = "00f067aa0ba902b7"


@pytest.fixture(scope="module")
def collector() -> Iterator[CollectorServer]:
    with collector_server() as made:
        yield made


@pytest.fixture(scope="module", params=[1, 2], ids=["single", "workers"])
def gateway(
    request: pytest.FixtureRequest,
    tmp_path_factory: pytest.TempPathFactory,
    shared_upstream: Upstream,
    collector: CollectorServer,
) -> Iterator[GatewayProcess]:
    collector.requests["/v1/traces"].clear()
    text = exporting(shared_upstream.url, collector.url, f"workers = {request.param}")
    with sentinel_run(write_config(tmp_path_factory.mktemp("export"), text, GUESTS)) as running:
        yield running


def test_a_collector_gets_the_spans_of_a_sampled_request(
    gateway: GatewayProcess, collector: CollectorServer, origin: Upstream
) -> None:
    collector.requests["/v1/traces"].clear()
    fetch(gateway.public, "/a?b=1", headers=KEY | {"traceparent": f"00-{TRACE}-{PARENT}-01", "tracestate": "v=1"})
    spans = collector.spans(6)
    request, tried, *hooks = spans
    assert all(span.trace_id.hex() == TRACE and span.trace_state == "v=1" for span in spans)
    assert (request.name, request.kind, request.parent_span_id.hex()) == ("GET all", Span.SPAN_KIND_SERVER, PARENT)
    assert all(span.parent_span_id == request.span_id for span in spans[1:])
    assert len({span.span_id for span in spans}) == len(spans)
    told = attributes(request)
    assert told["http.request.method"] == "GET"
    assert (told["url.path"], told["url.query"], told["url.scheme"]) == ("/a", "b=1", "http")
    assert (told["http.route"], told["http.response.status_code"]) == ("all", 200)
    assert (told["client.address"], told["server.address"]) == ("127.0.0.1", "127.0.0.1")
    assert tried.kind == Span.SPAN_KIND_CLIENT
    assert attributes(tried)["sentinel.endpoint"] == origin.url
    # The upstream was told the span that it is the child of.
    assert origin.requests[-1].values("traceparent") == [f"00-{TRACE}-{tried.span_id.hex()}-01"]
    assert [span.name for span in hooks] == [
        "api-key-auth on-request",
        "header-injection on-request",
        "header-injection on-response",
        "access-log on-complete",
    ]
    injection = attributes(hooks[1])
    assert injection["sentinel.guest.outcome"] == "edited"
    assert injection["sentinel.guest.running_ns"] > 0
    assert "header x-gateway: (none) → sentinel" in injection["sentinel.guest.changes"]
    assert len(hooks[3].events) == 1
    for span in spans[1:3]:
        assert request.start_time_unix_nano <= span.start_time_unix_nano <= span.end_time_unix_nano
    assert {name.lower(): value for name, value in collector.headers[-1].items()}["x-token"] == "secret"


def test_a_request_that_fails_is_exported_though_nobody_sampled_it(
    gateway: GatewayProcess, collector: CollectorServer, origin: Upstream
) -> None:
    async def close(*_: object) -> None:
        raise ConnectionError

    collector.requests["/v1/traces"].clear()
    origin.handler = close
    assert fetch(gateway.public, "/plain").status == 502
    request, tried = collector.spans(2)
    assert (request.status.code, attributes(request)["error.type"]) == (Status.STATUS_CODE_ERROR, "502")
    assert attributes(request)["sentinel.request.recorded_for"] == "failed"
    assert attributes(tried)["error.type"] == "reset"


def test_a_collector_gets_the_metrics_that_scrapers_get(gateway: GatewayProcess, collector: CollectorServer) -> None:
    (group,) = collector.wait_for("/v1/metrics").resource_metrics
    assert {each.key: each.value.string_value for each in group.resource.attributes}["service.name"] == "sentinel"
    names = {metric.name for scope in group.scope_metrics for metric in scope.metrics}
    assert {"sentinel_connections_accepted", "sentinel_worker_up"} <= names
    assert gateway.metric('sentinel_exported_total{result="sent",signal="metrics"}') >= 0


def test_a_collector_gets_the_lines_of_the_log(
    gateway: GatewayProcess, collector: CollectorServer, origin: Upstream
) -> None:
    fetch(gateway.public, "/a-line", headers=KEY)

    def records() -> list[Any]:
        groups = [group for request in collector.requests["/v1/logs"] for group in request.resource_logs]
        return [record for group in groups for scope in group.scope_logs for record in scope.log_records]

    wait_until(lambda: any("/a-line" in record.body.string_value for record in records()), "a line")
    record = next(record for record in records() if "/a-line" in record.body.string_value)
    assert (record.severity_text, record.severity_number) == ("info", 9)
    assert attributes(record)["sentinel.guest"] == "access-log"
    assert record.time_unix_nano > 0


def test_a_batch_is_sent_again_that_the_collector_could_not_take(
    gateway: GatewayProcess, collector: CollectorServer, origin: Upstream
) -> None:
    collector.requests["/v1/traces"].clear()
    collector.answers[:] = [503, 429]
    fetch(gateway.public, "/plain", headers={"traceparent": f"00-{TRACE}-{PARENT}-01"})
    collector.spans(2)


def test_a_stalled_collector_costs_no_request(tmp_path: Path, origin: Upstream) -> None:
    # A collector of its own: what it was held up with comes when it goes on.
    with collector_server() as collector:
        collector.stalls.set()
        text = exporting(origin.url, collector.url).replace("share = 0.0", "share = 1.0")
        with sentinel_run(write_config(tmp_path, text, GUESTS)) as gateway:
            for _ in range(200):
                assert fetch(gateway.public, "/", headers=KEY).status == 200
            before = gateway.memory()
            for _ in range(200):
                assert fetch(gateway.public, "/", headers=KEY).status == 200
            # A ring of 5 MiB, and what allocators keep.
            assert gateway.memory() - before < 20 << 20
            gateway.wait_for_log("the collector does not take everything")
            lost = 'sentinel_exported_total{result="lost",signal="traces"}'
            wait_until(lambda: gateway.metric(lost) > 0, "spans that are lost")
