"""What watches a gateway, from the declarations of its metrics: a dashboard for Grafana, alert
rules for Prometheus.

A panel or a rule names families and labels that are declared: another name is refused here.
"""

from __future__ import annotations

import json
import re
from typing import Any, Final

from sentinel_host.control.metrics import COUNTERS, GAUGES, HISTOGRAMS, Family
from sitebuild.places import ROOT

DASHBOARD: Final = ROOT / "deploy" / "monitoring" / "grafana-dashboard.json"
ALERTS: Final = ROOT / "deploy" / "monitoring" / "prometheus-alerts.yaml"

_SUFFIXES: Final = ("_total", "_bucket", "_sum", "_count")
_NAME: Final = re.compile(r"\b(sentinel_\w+)(?:\{([^}]*)\})?")
_LABEL: Final = re.compile(r"(\w+)=")
_BY: Final = re.compile(r"\bby \(([^)]*)\)")

# Title, unit of Grafana, and what is drawn, each with its legend.
PANELS: Final[tuple[tuple[str, str, tuple[tuple[str, str], ...]], ...]] = (
    ("Requests by route", "reqps", (("sum by (route) (rate(sentinel_requests_total[1m]))", "{{route}}"),)),
    (
        "Errors by route",
        "percentunit",
        (
            (
                'sum by (route) (rate(sentinel_requests_total{status=~"5.."}[1m]))'
                " / sum by (route) (rate(sentinel_requests_total[1m]))",
                "{{route}}",
            ),
        ),
    ),
    (
        "Latency",
        "s",
        tuple(
            (f"histogram_quantile({q}, sum by (le) (rate(sentinel_request_duration_seconds_bucket[1m])))", f"p{name}")
            for q, name in (("0.5", "50"), ("0.99", "99"), ("0.999", "99.9"))
        ),
    ),
    (
        "Latency of upstreams, p99",
        "s",
        (
            (
                "histogram_quantile(0.99, sum by (upstream, le) (rate(sentinel_upstream_duration_seconds_bucket[1m])))",
                "{{upstream}}",
            ),
        ),
    ),
    (
        "Endpoints that get no requests",
        "short",
        (
            (
                'sum by (upstream, target, state) (sentinel_endpoint_state{state=~"ejected|down"})',
                "{{target}} {{state}}",
            ),
        ),
    ),
    (
        "Failures and retries",
        "ops",
        (
            ("sum by (upstream, kind) (rate(sentinel_upstream_failures_total[1m]))", "{{upstream}} {{kind}}"),
            ("sum by (upstream) (rate(sentinel_upstream_retries_total[1m]))", "{{upstream}} retries"),
        ),
    ),
    (
        "Running time of guests, per second",
        "s",
        (("sum by (guest) (rate(sentinel_guest_cpu_seconds_total[1m]))", "{{guest}}"),),
    ),
    (
        "Guests that fail",
        "ops",
        (
            ("sum by (guest) (rate(sentinel_guest_traps_total[1m]))", "{{guest}} traps"),
            ("sum by (guest) (rate(sentinel_guest_deadlines_total[1m]))", "{{guest}} deadlines"),
            ("sum by (guest) (sentinel_guest_quarantined)", "{{guest}} in quarantine"),
        ),
    ),
    (
        "Limits that refuse",
        "ops",
        (('sum by (route, limit) (rate(sentinel_limit_checks_total{verdict="refused"}[1m]))', "{{route}} {{limit}}"),),
    ),
    ("Connections", "short", (("sum by (state) (sentinel_connections_by_state)", "{{state}}"),)),
    (
        "Lag of the event loop, p99",
        "s",
        (("histogram_quantile(0.99, sum by (le) (rate(sentinel_loop_lag_seconds_bucket[1m])))", "all workers"),),
    ),
    ("Memory", "bytes", (("sentinel_process_resident_bytes", "{{process}}"),)),
)

# Name, how long it must hold, severity, the expression, and what it says. `or` joins families: a
# sum is nothing where one of them is missing, as the access log's is where none is written.
RULES: Final[tuple[tuple[str, str, str, str, str], ...]] = (
    (
        "SentinelErrors",
        "5m",
        "critical",
        'sum by (route) (rate(sentinel_requests_total{status=~"5.."}[5m]))'
        " / sum by (route) (rate(sentinel_requests_total[5m])) > 0.05",
        "More than 5 % of the requests of route {{ $labels.route }} fail.",
    ),
    (
        "SentinelSlow",
        "10m",
        "warning",
        "histogram_quantile(0.99, sum by (route, le) (rate(sentinel_request_duration_seconds_bucket[5m]))) > 2",
        "One in a hundred requests of route {{ $labels.route }} takes longer than 2 s.",
    ),
    (
        "SentinelEndpointDown",
        "2m",
        "warning",
        'sum by (upstream, target) (sentinel_endpoint_state{state=~"ejected|down"}) > 0',
        "{{ $labels.target }} of upstream {{ $labels.upstream }} gets no requests.",
    ),
    (
        "SentinelUpstreamUnavailable",
        "1m",
        "critical",
        "sum by (upstream) (rate(sentinel_upstream_unavailable_total[1m])) > 0",
        "Upstream {{ $labels.upstream }} has no endpoint that may be used.",
    ),
    (
        "SentinelGuestQuarantined",
        "1m",
        "critical",
        "sum by (guest) (sentinel_guest_quarantined) > 0",
        "Guest {{ $labels.guest }} fails too often and is not called.",
    ),
    (
        "SentinelGuestFails",
        "5m",
        "warning",
        "sum by (guest) (rate(sentinel_guest_traps_total[5m])) > 0"
        " or sum by (guest) (rate(sentinel_guest_deadlines_total[5m])) > 0",
        "Calls of guest {{ $labels.guest }} trap or use up their deadline.",
    ),
    (
        "SentinelGuestRolledBack",
        "0m",
        "warning",
        "sum by (guest) (increase(sentinel_guest_rollbacks_total[10m])) > 0",
        "A new version of guest {{ $labels.guest }} was rolled back.",
    ),
    (
        "SentinelGuestMissing",
        "1m",
        "critical",
        "sum by (guest) (sentinel_guest_missing) > 0",
        "Guest {{ $labels.guest }} is not in service: its file is missing or cannot be loaded.",
    ),
    (
        "SentinelCertificateExpires",
        "1h",
        "warning",
        "sentinel_certificate_expiry_seconds - time() < 14 * 86400",
        "The certificate {{ $labels.file }} expires within 14 days.",
    ),
    (
        "SentinelWorkerRestarts",
        "0m",
        "warning",
        "sum by (worker) (increase(sentinel_worker_restarts_total[10m])) > 2",
        "Worker {{ $labels.worker }} keeps ending.",
    ),
    (
        "SentinelLoopLags",
        "5m",
        "warning",
        "histogram_quantile(0.99, sum by (le) (rate(sentinel_loop_lag_seconds_bucket[5m]))) > 0.1",
        "Something holds the event loop up, or the machine has too few processors.",
    ),
    (
        "SentinelLinesLost",
        "5m",
        "warning",
        "rate(sentinel_log_lines_dropped_total[5m]) > 0 or rate(sentinel_access_log_lines_dropped_total[5m]) > 0",
        "Lines of the logs are dropped: a reader stalls, or a disk is full.",
    ),
)


def dashboard() -> str:
    """The dashboard as Grafana imports it. Raises `ValueError` for a metric or label that is not
    declared.
    """
    panels = [_panel(number, *panel) for number, panel in enumerate(PANELS)]
    told = {
        "title": "Sentinel",
        "uid": "sentinel",
        "schemaVersion": 39,
        "tags": ["sentinel"],
        "time": {"from": "now-1h", "to": "now"},
        "refresh": "10s",
        "templating": {"list": [{"name": "datasource", "type": "datasource", "query": "prometheus"}]},
        "panels": panels,
    }
    return json.dumps(told, indent=2) + "\n"


def alerts() -> str:
    """The rules as Prometheus loads them. Raises `ValueError` for a metric or label that is not
    declared.
    """
    lines = [
        "# Made by docs/tooling from the declarations of the metrics.",
        "groups:",
        "  - name: sentinel",
        "    rules:",
    ]
    for name, holds, severity, expression, summary in RULES:
        _check(expression)
        lines += [
            f"      - alert: {name}",
            f"        expr: {json.dumps(expression)}",
            f"        for: {holds}",
            f"        labels: {{severity: {severity}}}",
            f"        annotations: {{summary: {json.dumps(summary)}}}",
        ]
    return "\n".join(lines) + "\n"


def _panel(number: int, title: str, unit: str, drawn: tuple[tuple[str, str], ...]) -> dict[str, Any]:
    for expression, _ in drawn:
        _check(expression)
    source = {"type": "prometheus", "uid": "${datasource}"}
    return {
        "id": number + 1,
        "title": title,
        "type": "timeseries",
        "datasource": source,
        "gridPos": {"h": 8, "w": 12, "x": 12 * (number % 2), "y": 8 * (number // 2)},
        "fieldConfig": {"defaults": {"unit": unit, "min": 0}, "overrides": []},
        "targets": [
            {"datasource": source, "expr": expression, "legendFormat": legend, "refId": chr(ord("A") + index)}
            for index, (expression, legend) in enumerate(drawn)
        ],
    }


def _check(expression: str) -> None:
    allowed = {"le"}
    for name, conditions in _NAME.findall(expression):
        family = _family(name)
        allowed |= set(family.labels)
        if unknown := set(_LABEL.findall(conditions)) - set(family.labels):
            raise ValueError(f"{expression}: {name} has no label {', '.join(sorted(unknown))}")
    for labels in _BY.findall(expression):
        if unknown := {label.strip() for label in labels.split(",")} - allowed:
            raise ValueError(f"{expression}: there is no label {', '.join(sorted(unknown))}")


def _family(name: str) -> Family:
    """The family of a name as Prometheus shows it."""
    if name in GAUGES:
        return GAUGES[name]
    if name.endswith("_total") and name.removesuffix("_total") in COUNTERS:
        return COUNTERS[name.removesuffix("_total")]
    for suffix in _SUFFIXES:
        if name.endswith(suffix) and name.removesuffix(suffix) in HISTOGRAMS:
            return HISTOGRAMS[name.removesuffix(suffix)]
    raise ValueError(f"there is no metric {name}")
