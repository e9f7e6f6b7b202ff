"""The dashboard and the alert rules."""

from __future__ import annotations

import json

import pytest
import yaml

from sitebuild import monitoring


def test_the_dashboard_shows_what_is_declared() -> None:
    told = json.loads(monitoring.dashboard())
    assert len(told["panels"]) >= 10
    places = [tuple(panel["gridPos"][part] for part in "xy") for panel in told["panels"]]
    assert len(set(places)) == len(places)


def test_the_rules_are_what_prometheus_loads() -> None:
    (group,) = yaml.safe_load(monitoring.alerts())["groups"]
    names = [rule["alert"] for rule in group["rules"]]
    assert len(set(names)) == len(names)
    for rule in group["rules"]:
        assert set(rule) == {"alert", "expr", "for", "labels", "annotations"}
        assert rule["annotations"]["summary"].endswith(".")
        # Without an access log there is no such family: the rule about lost lines once never fired
        # there.
        assert " + " not in rule["expr"]


@pytest.mark.parametrize(
    "expression",
    [
        "sentinel_no_such_metric > 0",
        "rate(sentinel_requests[1m])",
        'sentinel_requests_total{colour="red"}',
        "sum by (colour) (sentinel_requests_total)",
    ],
)
def test_what_is_not_declared_is_refused(expression: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(monitoring, "RULES", (("Alert", "1m", "warning", expression, "Something."),))
    with pytest.raises(ValueError, match=r"there is no|has no"):
        monitoring.alerts()
