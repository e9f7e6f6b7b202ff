"""What operators are told about guests. Configuration is not part of it: it may hold secrets."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final

import msgspec

from sentinel_host.control.snapshot import Numbers, Snapshot
from sentinel_host.hotload.guest_version import GuestVersion
from sentinel_host.hotload.rollout import RolloutController
from sentinel_host.hotload.state import GuestState

_FAILURES: Final = ("sentinel_guest_traps", "sentinel_guest_deadlines", "sentinel_guest_protocol_errors")


class CanaryView(msgspec.Struct, frozen=True):
    """A version that gets ``weight`` percent of the requests, since then (RFC 3339)."""

    sha256: str
    version: int | None
    weight: int
    since: str


class WorkerView(msgspec.Struct, frozen=True):
    """What one worker runs; ``state`` and the digests as in `GuestView`."""

    worker: int
    state: str
    sha256: str
    canary: str | None = None


class ResourcesView(msgspec.Struct, frozen=True):
    """What a guest takes, of all workers and versions: its own running time in seconds, memory of
    its instances in bytes, ``waiting`` calls. The rest counts: calls that trapped, used up their
    deadline, answered with what breaks the contract, or were not made, and versions that could not
    be loaded.
    """

    cpu_seconds: float
    memory_bytes: int
    instances: int
    waiting: int
    traps: int
    deadlines: int
    protocol_errors: int
    refused: int
    failed_loads: int


class GuestView(msgspec.Struct, frozen=True):
    """A guest as the whole gateway runs it.

    ``state`` is ``serving``, ``missing`` (its routes answer 503), ``quarantined``, or ``differs``
    when workers do not run the same. ``version`` is what its file is signed as. ``calls`` and
    ``failures`` are of all its versions, ``failures`` calls that it failed. ``last_error`` is what
    went wrong last: such a call, or a version's load. ``previous`` is what a rollback would bring
    back. ``rolled_back`` is the version in the folder that is not served. ``schema`` is the JSON
    schema of its configuration, if its file has one.
    """

    name: str
    state: str
    version: int | None
    sha256: str
    size: int
    language: str | None
    sdk: str | None
    hooks: list[str]
    grants: list[str]
    since: str | None
    calls: int
    failures: int
    last_error: str
    previous: str | None
    rolled_back: str | None
    canary: CanaryView | None
    workers: list[WorkerView]
    resources: ResourcesView
    schema: Any = None


def view_guests(
    workers: Mapping[int, list[GuestState]], snapshot: Snapshot, rollouts: RolloutController
) -> list[GuestView]:
    """What the workers tell, by guest; ``snapshot`` is the sum of their counts."""
    found: dict[str, dict[int, GuestState]] = {}
    for worker, states in sorted(workers.items()):
        for state in states:
            found.setdefault(state.name, {})[worker] = state
    return [_view(name, states, snapshot, rollouts) for name, states in sorted(found.items())]


def _view(name: str, states: Mapping[int, GuestState], snapshot: Snapshot, rollouts: RolloutController) -> GuestView:
    told, release = next(iter(states.values())), rollouts.view(name)
    counters, key = snapshot.counters, (name,)
    previous, rolled_back, candidate = release.previous, release.rolled_back, release.candidate
    canary = None
    if candidate is not None:
        canary = CanaryView(candidate.sha256, candidate.number, told.canary_weight, _time(release.since))
    return GuestView(
        name=name,
        state=_state(states, quarantined=bool(snapshot.gauges.get("sentinel_guest_quarantined", {}).get(key))),
        version=told.version,
        sha256=told.sha256,
        size=told.size,
        language=told.language,
        sdk=told.sdk,
        hooks=list(told.hooks),
        grants=list(told.grants),
        since=_time(told.since) if told.since else None,
        calls=int(counters.get("sentinel_guest_calls", {}).get(key, 0)),
        failures=int(sum(counters.get(family, {}).get(key, 0) for family in _FAILURES)),
        last_error=max(states.values(), key=lambda state: state.failed_at if state.error else 0.0).error,
        previous=previous.sha256 if previous is not None else None,
        rolled_back=rolled_back.sha256 if rolled_back is not None else None,
        canary=canary,
        workers=[
            WorkerView(worker, state.state, state.sha256, state.canary or None) for worker, state in states.items()
        ],
        resources=_resources(name, snapshot),
        schema=_schema(rollouts.serving().get(name)),
    )


def _resources(name: str, snapshot: Snapshot) -> ResourcesView:
    def of(families: Mapping[str, Numbers], what: str) -> float:
        return families.get(f"sentinel_guest_{what}", {}).get((name,), 0)

    counters, gauges = snapshot.counters, snapshot.gauges
    refused = counters.get("sentinel_guest_refused", {})
    return ResourcesView(
        cpu_seconds=of(counters, "cpu_seconds"),
        memory_bytes=int(of(gauges, "memory_bytes")),
        instances=int(of(gauges, "instances")),
        waiting=int(of(gauges, "waiting")),
        traps=int(of(counters, "traps")),
        deadlines=int(of(counters, "deadlines")),
        protocol_errors=int(of(counters, "protocol_errors")),
        refused=int(sum(count for labels, count in refused.items() if labels[0] == name)),
        failed_loads=int(of(counters, "failed_loads")),
    )


def _schema(version: GuestVersion | None) -> Any:
    """As the file has it, which is JSON: it was read when the guest was loaded."""
    text = version.guest.config_schema if version is not None else b""
    return json.loads(text) if text else None


def _state(states: Mapping[int, GuestState], *, quarantined: bool) -> str:
    if len({(state.state, state.sha256, state.canary) for state in states.values()}) > 1:
        return "differs"
    state = next(iter(states.values())).state
    return "quarantined" if quarantined and state == "serving" else state


def _time(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="seconds")


def guest_faults(faults: dict[str, str]) -> list[str]:
    """What ``/readyz`` says about guests that are not in service."""
    return [f"guest {name} is not in service: {reason}" for name, reason in faults.items()]
