from __future__ import annotations

from pathlib import Path

from sentinel_host.observe import Change
from tests.observe.support import KEY, Observed, run_observed
from tests.support.upstreams import Upstream


def test_nothing_is_recorded_without_a_request_for_it(tmp_path: Path, origin: Upstream) -> None:
    async def scenario(observed: Observed) -> None:
        assert (
            await observed.fetch("/plain", headers={"traceparent": "any", "x-sentinel-explain": "no"})
        ).status == 200
        observed.gateway.recorder.publish()
        assert observed.gateway.recorder.ring.next == 0
        (received,) = origin.requests
        # Without tracing the field is one like any other; a token never goes on.
        assert received.values("traceparent") == ["any"]
        assert received.values("x-sentinel-explain") == []

    run_observed(tmp_path, origin.url, scenario)


def test_what_each_guest_did_is_recorded_while_somebody_watches(tmp_path: Path, origin: Upstream) -> None:
    async def scenario(observed: Observed) -> None:
        observed.gateway.recorder.watch()
        answer = await observed.fetch("/a?b=1", headers=KEY | {"x-other": "old"})
        (record,) = await observed.records(1)
        assert record.id == answer.header("x-request-id")
        assert (record.why, record.route, record.method, record.path, record.query) == (
            "watched",
            "all",
            "GET",
            "/a",
            "b=1",
        )
        assert (record.status, record.outcome, record.origin, record.upstream) == (
            200,
            "completed",
            "upstream",
            "origin",
        )
        assert [stage.name for stage in record.stages][:3] == ["request-hooks", "forward", "upstream"]
        assert [(hook.guest, hook.hook) for hook in record.hooks] == [
            ("api-key-auth", "on-request"),
            ("header-injection", "on-request"),
            ("header-injection", "on-response"),
            ("access-log", "on-complete"),
        ]
        auth, injection, response = record.hooks[:3]
        assert auth.changes[-1] == Change("header", "x-principal", (), ("demo",))
        assert Change("header", "x-api-key", ("(8 bytes)",), ()) in auth.changes
        assert injection.changes == [
            Change("header", "x-gateway", (), ("sentinel",)),
            Change("header", "x-other", ("old",), ("new",)),
        ]
        assert response.changes == [Change("header", "x-served-by", (), ("sentinel",))]
        assert injection.outcome == "edited"
        for hook in record.hooks:
            assert len(hook.version) == 64
            assert hook.running > 0
            assert hook.taken > 0
        assert injection.given > 0
        (tried,) = record.tries
        assert (tried.endpoint, tried.status, tried.error) == (origin.url, 200, "")
        assert tried.start + tried.duration <= record.duration
        (line,) = record.lines
        assert (line.guest, line.level) == ("access-log", "info")
        assert "/a" in line.message

    run_observed(tmp_path, origin.url, scenario)


def test_few_requests_are_recorded_of_many(tmp_path: Path, origin: Upstream) -> None:
    async def scenario(observed: Observed) -> None:
        observed.gateway.recorder.watch()
        for _ in range(20):
            await observed.fetch("/plain")
        records = await observed.records(1)
        assert len(records) < 20 or records[-1].started_at - records[0].started_at > 1_000_000

    run_observed(tmp_path, origin.url, scenario)


def test_a_request_with_the_token_is_explained(tmp_path: Path, origin: Upstream) -> None:
    async def scenario(observed: Observed) -> None:
        observed.gateway.recorder.explain_for("secret")
        await observed.fetch("/plain", headers={"x-sentinel-explain": "wrong"})
        await observed.fetch("/plain", headers={"x-sentinel-explain": "secret"})
        (record,) = await observed.records(1)
        assert (record.why, record.route, record.trace_id) == ("explained", "/plain", "")
        # Nobody else pays for it from then on.
        assert not observed.gateway.recorder.is_on
        assert observed.gateway.recorder.ring.next == 1

    run_observed(tmp_path, origin.url, scenario)
