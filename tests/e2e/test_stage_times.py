"""The time of requests by stage, where the configuration asks for it."""

from __future__ import annotations

from guestbuild.places import GUESTS
from tests.e2e.conftest import StartGateway
from tests.support.clients import fetch
from tests.support.upstreams import Upstream

CONFIG = """
[server]
bind = ["127.0.0.1:0"]
admin = "127.0.0.1:0"
{server}

[[upstream]]
name = "origin"
targets = ["{upstream}"]

[[route]]
path = "/"
upstream = "origin"
chain = ["access-log"]

[[route]]
path = "/limited"
upstream = "origin"
limit = {{ requests = 1, window = "1m" }}
"""
LOG = {"access-log": GUESTS / "rust" / "access-log.wasm"}


def test_every_stage_is_timed(start_sentinel: StartGateway, upstream: Upstream) -> None:
    gateway = start_sentinel(CONFIG.format(server="stage_times = true", upstream=upstream.url), LOG)
    assert [fetch(gateway.public, path).status for path in ("/", "/limited", "/limited")] == [200, 200, 429]
    passes = {
        stage: gateway.metric(f'sentinel_stage_passes_total{{stage="{stage}"}}')
        for stage in ("admit", "limits", "request-hooks", "forward", "upstream", "response-hooks", "respond")
    }
    assert passes == {
        "admit": 3,
        "limits": 2,
        "request-hooks": 2,
        "forward": 2,
        "upstream": 2,
        "response-hooks": 2,
        "respond": 3,
    }
    gateway.wait_for_metric('sentinel_stage_passes_total{stage="complete"}', 3)
    spent = {stage: gateway.metric(f'sentinel_stage_seconds_total{{stage="{stage}"}}') for stage in passes}
    assert all(0 < seconds < 60 for seconds in spent.values()), spent


def test_it_costs_nothing_unless_requested(start_sentinel: StartGateway, upstream: Upstream) -> None:
    gateway = start_sentinel(CONFIG.format(server="", upstream=upstream.url), LOG)
    assert fetch(gateway.public).status == 200
    assert "sentinel_stage_seconds_total{" not in fetch(gateway.admin, "/metrics").body.decode()
