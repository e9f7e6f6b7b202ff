from __future__ import annotations

import re
from pathlib import Path

from tests.observe.support import CONFIG, GUESTS, KEY
from tests.supervisor.support import wait_until
from tests.support.clients import fetch
from tests.support.gateways import ROOT, sentinel_run, write_config
from tests.support.upstreams import Upstream


def test_what_operators_watch_is_counted(tmp_path: Path, origin: Upstream) -> None:
    text = CONFIG.format(
        upstream=origin.url, trusted="", cache=ROOT / "build" / "cache" / "sentinel", more="[tracing]\nshare = 1.0"
    ).replace("[server]", '[server]\nadmin = "127.0.0.1:0"', 1)
    with sentinel_run(write_config(tmp_path, text, GUESTS)) as gateway:
        fetch(gateway.public, "/", headers=KEY)
        fetch(gateway.public, "/", method="PROPFIND", headers=KEY)
        metric = gateway.metric
        assert metric('sentinel_requests_by_method_total{method="GET",route="all"}') == 1
        assert metric('sentinel_requests_by_method_total{method="other",route="all"}') == 1
        assert metric('sentinel_upstream_duration_seconds_count{upstream="origin"}') == 2
        assert metric('sentinel_process_resident_bytes{process="worker-0"}') > 1 << 20
        assert metric('sentinel_process_cpu_seconds_total{process="worker-0"}') > 0
        assert metric('sentinel_connections_by_state{state="active"}') == 1
        wait_until(lambda: metric("sentinel_loop_lag_seconds_count") > 0, "a timer")

        def openmetrics() -> str:
            answer = fetch(gateway.admin, "/metrics", headers={"accept": "application/openmetrics-text; version=1.0.0"})
            assert (answer.header("content-type") or "").startswith("application/openmetrics-text")
            return answer.body.decode()

        pattern = re.compile(
            r'^sentinel_request_duration_seconds_bucket\{.*route="all".*\} \S+ # \{.*trace_id="[0-9a-f]{32}"',
            re.MULTILINE,
        )
        wait_until(lambda: pattern.search(openmetrics()) is not None, "an exemplar")
        assert openmetrics().endswith("# EOF\n")
        assert re.search(r"^sentinel_build_info\{.*\} 1", openmetrics(), re.MULTILINE)
