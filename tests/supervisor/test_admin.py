"""The admin listener answers for the whole gateway."""

from __future__ import annotations

import os
import signal

import pytest

from tests.supervisor.conftest import Start
from tests.supervisor.support import Load, config, starts, wait_until, workers
from tests.support.clients import Wire, exchange, fetch
from tests.support.upstreams import Upstream

ANSWERED = 'sentinel_requests_total{route="main",status="200"}'


@pytest.mark.parametrize("count", [3])
def test_metrics_are_the_sum_over_all_workers(upstream: Upstream, start: Start, count: int) -> None:
    gateway = start(config(upstream.url, workers=count))
    with Load(gateway.public, fresh=3, kept=3) as load:
        load.wait_for(100)
    # Fresh connections, so that several workers have served; a request's count comes after its last
    # byte.
    gateway.wait_for_metric(ANSWERED, load.answered)
    gateway.wait_for_metric('sentinel_request_duration_seconds_count{route="main"}', load.answered)
    gateway.wait_for_metric('sentinel_request_duration_seconds_bucket{le="+Inf",route="main"}', load.answered)
    for number in range(count):
        assert gateway.metric(f'sentinel_worker_up{{worker="{number}"}}') == 1
        assert gateway.metric(f'sentinel_worker_restarts_total{{worker="{number}"}}') == 0
    # One worker alone serves, and counts, the connection that asks as well.
    asking = 1 if count == 1 else 0
    with Wire(gateway.public), Wire(gateway.public):
        gateway.wait_for_metric("sentinel_connections", 2 + asking)
    gateway.wait_for_metric("sentinel_connections", asking)


def test_counters_never_go_backwards_when_workers_die_or_are_replaced(upstream: Upstream, start: Start) -> None:
    gateway = start(config(upstream.url))
    seen = [0.0]
    with Load(gateway.public) as load:
        for step in range(4):
            load.wait_for(40)
            seen.append(gateway.metric(ANSWERED))
            before = starts(gateway)
            if step % 2:
                gateway.process.send_signal(signal.SIGHUP)
                wait_until(lambda before=before: starts(gateway) == before + 2, "two new workers")
            else:
                os.kill(workers(gateway)[0], signal.SIGKILL)
                wait_until(lambda before=before: starts(gateway) > before, "a new worker")
            seen.append(gateway.metric(ANSWERED))
    assert seen == sorted(seen)
    # What a worker counted since it was asked last dies with it, and nothing else does.
    total = gateway.metric(ANSWERED)
    assert seen[-1] <= total <= load.answered + len(load.lost)
    assert total > load.answered / 2


def test_nothing_is_lost_of_what_workers_counted_that_were_replaced(upstream: Upstream, start: Start) -> None:
    gateway = start(config(upstream.url))
    with Load(gateway.public) as load:
        for _ in range(3):
            load.wait_for(40)
            before = starts(gateway)
            gateway.process.send_signal(signal.SIGHUP)
            wait_until(lambda before=before: starts(gateway) == before + 2, "two new workers")
    gateway.wait_for_metric(ANSWERED, load.answered)


def test_not_ready_while_a_worker_is_missing(upstream: Upstream, start: Start) -> None:
    gateway = start(config(upstream.url))
    wait_until(lambda: fetch(gateway.admin, "/readyz").status == 200, "readiness")
    pid = workers(gateway)[1]
    # A stopped worker is one that neither serves nor dies.
    os.kill(pid, signal.SIGSTOP)
    wait_until(lambda: fetch(gateway.admin, "/readyz").body == b"worker 1 does not answer\n", "its absence to be told")
    assert fetch(gateway.admin, "/readyz").status == 503
    assert fetch(gateway.admin, "/healthz").status == 200
    assert fetch(gateway.admin, "/metrics").status == 200
    assert {fetch(gateway.public).body for _ in range(5)} == {b"hello"}
    os.kill(pid, signal.SIGCONT)
    wait_until(lambda: fetch(gateway.admin, "/readyz").status == 200, "readiness")


def test_guests_that_are_missing_are_named_once(upstream: Upstream, start: Start) -> None:
    gateway = start(config(upstream.url, routes='chain = ["absent"]'))
    gateway.wait_for_metric('sentinel_guest_missing{guest="absent"}', 2)
    answer = fetch(gateway.admin, "/readyz")
    assert answer.status == 503
    assert answer.body.count(b"guest absent is not in service") == 1


@pytest.mark.parametrize("count", [1, 2])
def test_other_hosts_than_addresses_are_refused(upstream: Upstream, start: Start, count: int) -> None:
    gateway = start(config(upstream.url, workers=count))
    for host in ("127.0.0.1", "127.0.0.1:1", "[::1]:8081", "localhost", "LOCALHOST:8081", "10.1.2.3"):
        assert fetch(gateway.admin, "/metrics", headers={"Host": host}).status == 200
    for host in ("evil.example", "evil.example:8081", "127.0.0.1.evil.example", "localhost.evil.example", "[evil]"):
        assert fetch(gateway.admin, "/metrics", headers={"Host": host}).status == 421
        assert fetch(gateway.admin, "/none", headers={"Host": host}).status == 421


@pytest.mark.parametrize("count", [1, 2])
def test_a_health_check_without_a_host_is_answered(upstream: Upstream, start: Start, count: int) -> None:
    """HAProxy's default check is one of HTTP/1.0 without a Host, and got 421. No browser leaves the
    Host out, so that DNS rebinding has no use for it; one that is there and foreign, or empty,
    stays refused.
    """
    gateway = start(config(upstream.url, workers=count))
    for path, status in ((b"/healthz", 200), (b"/readyz", 200), (b"/metrics", 200), (b"/guests", 401)):
        answer = exchange(gateway.admin, b"GET %b HTTP/1.0\r\n\r\n" % path)
        assert answer.startswith(b"HTTP/1.1 %d " % status)
    for host in (b"Host: evil.example", b"Host:", b"Host: ,localhost"):
        answer = exchange(gateway.admin, b"GET /healthz HTTP/1.0\r\n%b\r\n\r\n" % host)
        assert answer.startswith(b"HTTP/1.1 421 ")
    assert exchange(gateway.admin, b"GET /healthz HTTP/1.1\r\n\r\n").startswith(b"HTTP/1.1 400 ")


def test_a_start_that_cannot_succeed_ends_with_its_reason(upstream: Upstream, start: Start) -> None:
    with pytest.raises(AssertionError, match=r"none\.pem"):
        start(config(upstream.url, more='tls = { cert = "none.pem", key = "none.pem" }'))
