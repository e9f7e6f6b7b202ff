from __future__ import annotations

import asyncio
import re
from pathlib import Path

import pytest
from hyperframe.frame import HeadersFrame

from sentinel_host.observe.trace_context import TraceParent, read_trace_parent, span_of_try
from tests.observe.support import KEY, OWN_TRACE, Observed, observed, run_observed
from tests.support.upstreams import Upstream
from tests.upstream.http2 import Http2Peer, speaking
from tests.upstream.support import Upstream as PeerUpstream

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
PARENT = "00f067aa0ba902b7"
TRUSTED = '"127.0.0.1"'
ALL = "[tracing]\nshare = 1.0"
NONE = '[tracing]\nshare = 0.0\nslow = "1h"'


HTTP2 = """
[[upstream]]
name = "http2"
protocol = "http/2"
targets = ["{url}"]

[[route]]
path = "/http2"
upstream = "http2"

[[route]]
path = "/http2/own"
upstream = "http2"
chain = ["own-trace"]
"""


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (f"00-{TRACE}-{PARENT}-01", TraceParent(TRACE, PARENT, True)),
        (f"00-{TRACE}-{PARENT}-00", TraceParent(TRACE, PARENT, False)),
        (f"00-{TRACE}-{PARENT}-03", TraceParent(TRACE, PARENT, True)),
        # A later version may say more behind what this one says.
        (f"cc-{TRACE}-{PARENT}-01-what-the-future-brings", TraceParent(TRACE, PARENT, True)),
        (f"00-{TRACE}-{PARENT}-01-more", None),
        (f"cc-{TRACE}-{PARENT}-01.more", None),
        (f"ff-{TRACE}-{PARENT}-01", None),
        (f"00-{TRACE.upper()}-{PARENT}-01", None),
        (f"00-{'0' * 32}-{PARENT}-01", None),
        (f"00-{TRACE}-{'0' * 16}-01", None),
        (f"00-{TRACE}-{PARENT}", None),
        ("", None),
    ],
)
def test_a_trace_parent_is_read_as_the_recommendation_says(value: str, expected: TraceParent | None) -> None:
    assert read_trace_parent(value.encode()) == expected


def test_the_trace_of_a_trusted_peer_goes_on(tmp_path: Path, origin: Upstream) -> None:
    async def scenario(observed: Observed) -> None:
        headers = {"traceparent": f"00-{TRACE}-{PARENT}-01", "tracestate": "vendor=1"}
        await observed.fetch("/plain", headers=headers)
        (record,) = await observed.records(1)
        assert (record.why, record.trace_id, record.parent_id, record.sampled) == ("sampled", TRACE, PARENT, True)
        assert record.span_id != PARENT
        (received,) = origin.requests
        assert received.values("traceparent") == [f"00-{TRACE}-{span_of_try(record.span_id, 1)}-01"]
        assert received.values("tracestate") == ["vendor=1"]

    run_observed(tmp_path, origin.url, scenario, more=NONE, trusted=TRUSTED)


def test_what_a_stranger_says_of_a_trace_is_not_believed(tmp_path: Path, origin: Upstream) -> None:
    async def scenario(observed: Observed) -> None:
        headers = {"traceparent": f"00-{TRACE}-{PARENT}-01", "tracestate": "vendor=1"}
        assert (await observed.fetch("/plain", headers=headers)).status == 200
        (received,) = origin.requests
        (told,) = received.values("traceparent")
        assert re.fullmatch("00-[0-9a-f]{32}-[0-9a-f]{16}-00", told)
        assert TRACE not in told
        assert received.values("tracestate") == []
        observed.gateway.recorder.publish()
        assert observed.gateway.recorder.ring.next == 0

    run_observed(tmp_path, origin.url, scenario, more=NONE)


def test_a_trace_begins_here_and_guests_see_it(tmp_path: Path, origin: Upstream) -> None:
    async def scenario(observed: Observed) -> None:
        await observed.fetch("/", headers=KEY)
        (record,) = await observed.records(1)
        (received,) = origin.requests
        assert received.values("traceparent") == [f"00-{record.trace_id}-{span_of_try(record.span_id, 1)}-01"]
        assert record.parent_id == ""
        # Their record of the head has the field.
        assert record.hooks[0].taken > len(record.trace_id)

    run_observed(tmp_path, origin.url, scenario, more=ALL)


def test_a_request_that_fails_is_recorded_when_it_is_over(tmp_path: Path, origin: Upstream) -> None:
    async def scenario(observed: Observed) -> None:
        answer = await observed.fetch("/dead")
        assert answer.status == 503
        (record,) = await observed.records(1)
        assert (record.why, record.is_whole, record.sampled, record.status) == ("failed", False, True, answer.status)
        assert [(tried.endpoint, tried.error) for tried in record.tries] == [
            ("http://127.0.0.1:9", "connect"),
            ("http://127.0.0.1:10", "connect"),
        ]
        assert [(hook.guest, hook.hook, hook.outcome) for hook in record.hooks] == [("trap", "on-request", "failed")]
        assert record.hooks[0].running > 0

    dead = """
[[upstream]]
name = "dead"
balance = "round-robin"
targets = ["http://127.0.0.1:9", "http://127.0.0.1:10"]

[[route]]
path = "/dead"
upstream = "dead"
chain = ["trap"]
"""
    run_observed(tmp_path, origin.url, scenario, more=NONE + dead)


def test_a_slow_request_is_recorded_when_it_is_over(tmp_path: Path, origin: Upstream) -> None:
    async def scenario(observed: Observed) -> None:
        await observed.fetch("/", headers=KEY)
        (record,) = await observed.records(1)
        assert (record.why, record.is_whole, record.sampled) == ("slow", False, True)
        assert [hook.hook for hook in record.hooks] == ["on-request", "on-request", "on-response", "on-complete"]
        assert [(tried.endpoint, tried.status) for tried in record.tries] == [(origin.url, 200)]

    run_observed(tmp_path, origin.url, scenario, more='[tracing]\nshare = 0.0\nslow = "0s"')


def test_the_id_of_a_trace_that_begins_here_is_the_requests(tmp_path: Path, origin: Upstream) -> None:
    async def scenario(observed: Observed) -> None:
        answer = await observed.fetch("/plain")
        told = origin.requests[-1].values("traceparent")
        own = answer.header("x-request-id") or ""
        assert told == [f"00-{own}-{own[16:]}-00"]
        await observed.fetch("/plain", headers={"x-request-id": "of-a-peer"})
        (told,) = origin.requests[-1].values("traceparent")
        assert read_trace_parent(told.encode()) is not None
        # The same id is the same trace.
        await observed.fetch("/plain", headers={"x-request-id": "of-a-peer"})
        assert origin.requests[-1].values("traceparent") == [told]

    run_observed(tmp_path, origin.url, scenario, more=NONE, trusted=TRUSTED)


@pytest.mark.parametrize("tracing", [NONE, ALL])
def test_a_guests_own_trace_parent_stands_alone(tmp_path: Path, origin: Upstream, tracing: str) -> None:
    """Unsampled, the gateway once added its own beside it."""

    async def scenario(observed: Observed) -> None:
        assert (await observed.fetch("/own-trace")).status == 200
        (received,) = origin.requests
        assert received.values("traceparent") == [OWN_TRACE]

    run_observed(tmp_path, origin.url, scenario, more=tracing)


def test_a_guests_own_trace_parent_stands_alone_over_http2(tmp_path: Path) -> None:
    told: list[list[bytes]] = []

    async def serve(peer: Http2Peer) -> None:
        await peer.begin()
        while True:
            frame = await peer.next(HeadersFrame)
            fields = peer.decoder.decode(frame.data, raw=True)
            told.append([bytes(value) for name, value in fields if name == b"traceparent"])
            await peer.answer(frame.stream_id)

    async def main() -> None:
        async with PeerUpstream(speaking(serve)) as upstream:
            url = f"http://127.0.0.1:{upstream.port}"
            more = NONE + HTTP2.format(url=url)
            async with observed(tmp_path, url, more=more) as serving:
                assert (await serving.fetch("/http2/own")).status == 200
                assert (await serving.fetch("/http2")).status == 200

    asyncio.run(main())
    own, made = told
    assert own == [OWN_TRACE.encode()]
    assert [read_trace_parent(value) is not None for value in made] == [True]
