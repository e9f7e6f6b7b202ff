"""What is told of one request: for traces, for the dashboard, and for whoever asks why it went
there.

Times within a request are microseconds since it began, as `RequestRecord.started_at` has it;
durations are microseconds too. Texts that clients or guests wrote are made printable and cut.
Values of header fields that hold secrets are not told: see `sentinel_host.observe.changes`.
"""

from __future__ import annotations

import msgspec


class Change(msgspec.Struct, frozen=True, gc=False):
    """One part of a head as it was before a guest's hook, and after.

    ``part`` is ``header``, ``method``, ``path``, ``query``, ``upstream`` or ``status``; ``name`` is
    the field's where it is ``header``. A part that was not there, or is not any more, has no
    values.
    """

    part: str
    name: str = ""
    before: tuple[str, ...] = ()
    after: tuple[str, ...] = ()


class GuestLine(msgspec.Struct, frozen=True, gc=False):
    """One line that a guest logged while it served the request."""

    guest: str
    level: str
    message: str


class StageRecord(msgspec.Struct, frozen=True, gc=False):
    """One of `sentinel_host.gateway.stats.STAGES`; whatever it waits for is in its time."""

    name: str
    start: int
    duration: int


class TryRecord(msgspec.Struct, frozen=True, gc=False):
    """One try of an upstream's endpoint, up to the head of its answer.

    ``status`` is 0 and ``error`` a kind of `sentinel_host.errors.UPSTREAM_FAILURES` where there was
    no answer.
    """

    endpoint: str
    start: int
    duration: int
    status: int = 0
    error: str = ""


class HookRecord(msgspec.Struct, gc=False):
    """One call of a guest's hook, or all calls of one for a body.

    ``version`` is the SHA-256 of the guest's file. ``duration`` is by the clock, waiting included;
    ``running`` is the guest's own running time in nanoseconds. ``outcome`` is ``passed`` (no
    change), ``edited``, ``answered``, ``failed`` or ``refused`` (it was not called: quarantine, or
    no instance), and ``error`` says why in the last two. ``taken`` and ``given`` are bytes of what
    the hook got and answered, as records. ``asks`` is the body mode that it asked for, if any:
    ``stream`` or ``buffer``. ``calls`` is more than one for pieces of a body.
    """

    guest: str
    version: str
    hook: str
    start: int
    duration: int = 0
    running: int = 0
    outcome: str = "passed"
    error: str = ""
    taken: int = 0
    given: int = 0
    asks: str = ""
    calls: int = 1
    changes: list[Change] = []


class RequestRecord(msgspec.Struct, gc=False):
    """One request that is over.

    ``why`` says for what it was recorded: ``sampled``, ``failed``, ``slow``, ``watched`` (a
    dashboard is open) or ``explained``. ``trace_id``, ``span_id`` and ``parent_id`` are those of
    W3C Trace Context in hexadecimal, empty where nobody traces; ``sampled`` tells whether the
    record is part of a trace that is to be exported.

    ``grpc_status`` is how a call of gRPC ended, if it said so.

    ``started_at`` is microseconds since 1970, ``outcome`` and ``origin`` are named as in
    ``wit/types.wit``. Records with ``is_whole`` false were made only when the request was over,
    because it was slow or failed: they lack stages, changes and lines.
    """

    id: str
    why: str
    worker: int
    started_at: int
    route: str
    method: str
    scheme: str
    authority: str
    path: str
    query: str | None
    client: str
    http_version: str
    trace_id: str = ""
    span_id: str = ""
    parent_id: str = ""
    trace_state: str = ""
    sampled: bool = False
    is_whole: bool = True
    user_agent: str = ""
    content_type: str = ""
    duration: int = 0
    status: int = 0
    grpc_status: int | None = None
    outcome: str = "completed"
    origin: str = "gateway"
    request_bytes: int = 0
    response_bytes: int = 0
    upstream: str = ""
    endpoint: str = ""
    stages: list[StageRecord] = []
    tries: list[TryRecord] = []
    hooks: list[HookRecord] = []
    lines: list[GuestLine] = []
