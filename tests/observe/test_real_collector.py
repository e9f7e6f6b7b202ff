"""What we send as a collector understands it that is none of ours, and as it sends it on."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from sentinel_host.authoring import debian
from tests.observe.collectors import CollectorServer, attributes, collector_server
from tests.observe.support import GUESTS, KEY, exporting
from tests.supervisor.support import wait_until
from tests.support.clients import fetch
from tests.support.gateways import sentinel_run, write_config
from tests.support.peers import free_port, peer_server
from tests.support.upstreams import Upstream

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
PARENT = "00f067aa0ba902b7"
# Its program embeds the interpreter.
PACKAGE = f"libpython3.{sys.version_info.minor}"


@pytest.fixture
def rotel() -> Path:
    """The collector's program; root on a Debian gets the library installed that it needs."""
    found = importlib.util.find_spec("rotel")
    if found is None or not found.submodule_search_locations:
        pytest.skip("rotel is not installed")
    program = Path(found.submodule_search_locations[0], "rotel-agent")
    if subprocess.run([program, "version"], capture_output=True, check=False).returncode != 0:
        if not debian.can_install():
            pytest.skip(f"rotel does not start; as root: {debian.install_command(PACKAGE)}")
        debian.provide(PACKAGE)
    return program


@pytest.fixture
def behind() -> Iterator[CollectorServer]:
    """Gets what the collector sends on."""
    with collector_server() as made:
        yield made


def test_a_collector_of_others_sends_on_traces_metrics_and_logs(
    rotel: Path, behind: CollectorServer, origin: Upstream, tmp_path: Path
) -> None:
    port = free_port()
    environment = {
        "ROTEL_OTLP_HTTP_ENDPOINT": f"127.0.0.1:{port}",
        "ROTEL_OTLP_GRPC_ENDPOINT": f"127.0.0.1:{free_port()}",
        "ROTEL_OTLP_EXPORTER_ENDPOINT": behind.url,
        "ROTEL_OTLP_EXPORTER_PROTOCOL": "http",
        "ROTEL_LOG_FILE": str(tmp_path / "rotel.log"),
        "ROTEL_PID_FILE": str(tmp_path / "rotel.pid"),
    }
    text = exporting(origin.url, f"http://127.0.0.1:{port}")
    with (
        peer_server([str(rotel), "start"], port, tmp_path, environment),
        sentinel_run(write_config(tmp_path / "gateway", text, GUESTS)) as gateway,
    ):
        fetch(gateway.public, "/a", headers=KEY | {"traceparent": f"00-{TRACE}-{PARENT}-01", "tracestate": "v=1"})
        request, tried, *hooks = behind.spans(6)
        metrics = behind.wait_for("/v1/metrics")
        wait_until(lambda: any("/a" in line.body.string_value for line in lines(behind)), "a line of the log")
    assert {span.trace_id.hex() for span in (request, tried, *hooks)} == {TRACE}
    assert (request.name, request.kind, request.trace_state) == ("GET all", Span.SPAN_KIND_SERVER, "v=1")
    assert request.parent_span_id.hex() == PARENT
    assert {span.parent_span_id for span in (tried, *hooks)} == {request.span_id}
    assert (tried.kind, attributes(tried)["sentinel.endpoint"]) == (Span.SPAN_KIND_CLIENT, origin.url)
    assert [span.name for span in hooks] == [
        "api-key-auth on-request",
        "header-injection on-request",
        "header-injection on-response",
        "access-log on-complete",
    ]
    assert "header x-gateway: (none) → sentinel" in attributes(hooks[1])["sentinel.guest.changes"]
    assert ["/a" in event.name for event in hooks[3].events] == [True]
    names = {
        metric.name for group in metrics.resource_metrics for scope in group.scope_metrics for metric in scope.metrics
    }
    assert {"sentinel_connections_accepted", "sentinel_worker_up"} <= names
    line = next(line for line in lines(behind) if "/a" in line.body.string_value)
    assert (line.severity_text, attributes(line)["sentinel.guest"]) == ("info", "access-log")


def lines(collector: CollectorServer) -> list[Any]:
    """The lines of the log that have come."""
    groups = [group for request in collector.requests["/v1/logs"] for group in request.resource_logs]
    return [record for group in groups for scope in group.scope_logs for record in scope.log_records]
