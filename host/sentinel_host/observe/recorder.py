"""Which requests of a worker are recorded, and what becomes of their records.

Rule 1: a request that nobody asks for pays a comparison at its begin and one at its end.
Rule 2: how much is recorded is bounded: while a dashboard is open, and for failed and slow
        requests, by a rate; in all, by the requests that are recorded at the same time, and by the
        ring.
Rule 3: a record is kept once the request is over and its guests' lines have come, a twentieth of a
        second later.
"""

from __future__ import annotations

import hmac
from bisect import bisect_left
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256
from random import getrandbits
from time import perf_counter_ns
from typing import Final

from sentinel_host.http.rules import Admitted
from sentinel_host.messages import Headers, Origin, Outcome, Summary
from sentinel_host.native.trail import Trail
from sentinel_host.observe.access_log import AccessLog
from sentinel_host.observe.record import GuestLine, RequestRecord
from sentinel_host.observe.recording import Recording
from sentinel_host.observe.ring import Ring
from sentinel_host.observe.trace_context import (
    TRACEPARENT,
    TRACESTATE,
    TraceParent,
    read_trace_parent,
    readable_state,
    span_of_try,
    trace_id_of,
    write_trace_parent,
)
from sentinel_host.sandbox import GuestLines
from sentinel_host.sandbox.text import readable

Exemplar = tuple[str, str, float, float]
"""The ids of a sampled trace and span, how many seconds the request took, and when it began, in
seconds since 1970.
"""

Tries = list[tuple[str, int, int, int, str]]

# Nanoseconds between two requests that are recorded for whoever watches, and for how long one asks.
_WATCH_EVERY: Final = 100_000_000
_WATCH_FOR: Final = 10_000_000_000
# Failed and slow requests that are recorded in a second: when an upstream is gone, all fail.
_LATE_EACH_SECOND: Final = 50
_SECOND: Final = 1_000_000_000
# Requests that are recorded at the same time: long ones, such as tunnels, must not pile up.
_MOST_ACTIVE: Final = 512
# The largest that compiled code keeps without an object.
_NEVER: Final = (1 << 62) - 1
_SERVER_FAILURE: Final = 500
# Bytes of a field that is told.
_MOST_FIELD: Final = 256
_COMPLETED: Final = Outcome.COMPLETED
# Their names by number: members look their names up at a price.
_OUTCOMES: Final = [outcome.name.lower().replace("_", "-") for outcome in sorted(Outcome)]
_ORIGINS: Final = [origin.name.lower() for origin in sorted(Origin)]


@dataclass(frozen=True, slots=True)
class Tracing:
    """``share`` of 1 of the traces that begin here are sampled; ``slow`` is microseconds, beyond
    which a request is.
    """

    share: float
    slow: int


class Observation:
    """What is known of a request that takes part in a trace, or is ``recording``.

    Ids are those of `RequestRecord`; ``sampled`` is what is told to upstreams. ``told`` is the
    ``traceparent`` that guests see.
    """

    __slots__ = ("parent_id", "recording", "sampled", "span_id", "state", "told", "trace_id")

    def __init__(self, trace_id: str, span_id: str, parent_id: str, state: str, sampled: bool) -> None:
        self.trace_id = trace_id
        self.span_id = span_id
        self.parent_id = parent_id
        self.state = state
        self.sampled = sampled
        self.told = b""
        self.recording: Recording | None = None

    def fields_of_try(self, headers: Headers, number: int) -> Headers:
        """The fields of a request to an upstream, which has the span of this try for its parent,
        counted from 1.
        """
        told = write_trace_parent(self.trace_id, span_of_try(self.span_id, number), self.sampled)
        return [(name, told if name == TRACEPARENT else value) for name, value in headers]


class Recorder:
    """The records of one worker; see the module.

    ``is_on`` tells whether `begin` has anything to do for every request; where it has not, it has
    for requests that begin at ``watch_at`` or later. `end` is to be called for those that have an
    observation, and, while ``looks_back``, for all that failed or took ``slow`` microseconds.
    ``left_out`` counts those that were not recorded for Rule 2. ``exemplars`` are the last sampled
    requests by route, and by the bucket of ``bounds``, in seconds, that they fall into.
    """

    __slots__ = (
        "_active",
        "_bounds",
        "_explains",
        "_late_left",
        "_late_until",
        "_threshold",
        "_tracing",
        "_trail",
        "_watched_until",
        "_worker",
        "access_log",
        "exemplars",
        "is_on",
        "left_out",
        "looks_back",
        "ring",
        "slow",
        "watch_at",
    )

    def __init__(self, trail: Trail, worker: int = 0, bounds: tuple[float, ...] = ()) -> None:
        self._trail = trail
        self._bounds = bounds
        self.exemplars: dict[str, dict[int, Exemplar]] = {}
        self._worker = worker
        self._active: dict[bytes, Recording] = {}
        self._explains = b""
        self._late_left = 0
        self._late_until = 0
        self._threshold = ""
        self._tracing: Tracing | None = None
        self._watched_until = 0
        self.access_log: AccessLog | None = None
        self.is_on = False
        self.left_out = 0
        self.looks_back = False
        self.ring = Ring()
        self.slow = _NEVER
        self.watch_at = _NEVER

    def trace(self, tracing: Tracing | None) -> None:
        """Have requests take part in traces so from now on, or not."""
        self._tracing = tracing
        # A share is compared with the first 64 of the trace id's bits, which are random (Trace
        # Context Level 2, section 3.2.2.3.1). Of two texts the longer is the greater one where it
        # begins with the other.
        self._threshold = _threshold(tracing.share) if tracing is not None else ""
        self._adjust()

    def watch(self) -> None:
        """Somebody looks at requests: record some for the next seconds, and all that fail."""
        now = perf_counter_ns()
        self._watched_until = now + _WATCH_FOR
        if self.watch_at == _NEVER:
            self.watch_at = now
        self._adjust()

    def explain_for(self, token: str | None) -> None:
        """Have requests recorded that bring this token."""
        self._explains = sha256(token.encode()).digest() if token is not None else b""

    def begin(self, admitted: Admitted, started: int) -> Observation | None:
        """A request begins. Has its head tell of the trace; where that begins here and is not
        sampled, there is no observation, and `add_unsampled_parent` is for the upstream.
        """
        asked = admitted.observed
        why = ""
        if asked is not None and asked.explain and self._may_explain(asked.explain):
            why = "explained"
        elif started >= self.watch_at:
            why = self._watch(started)
        observation: Observation | None = None
        head = admitted.head
        if self._tracing is not None:
            trace_id = trace_id_of(head.request_id, admitted.has_own_id)
            if asked is None and not why and trace_id >= self._threshold:
                # Its upstream is told later: guests would have to read it, which costs their time.
                return None
            parent = read_trace_parent(asked.trace_parent) if asked is not None and asked.trace_parent else None
            observation = self._follow(parent, asked.trace_state if asked is not None else b"", trace_id)
            sampled = observation.sampled
            observation.told = write_trace_parent(observation.trace_id, observation.span_id, sampled)
            head.headers.append((TRACEPARENT, observation.told))
            if observation.state:
                head.headers.append((TRACESTATE, observation.state.encode("ascii")))
            if sampled and not why:
                why = "sampled"
        if not why:
            return observation
        if observation is None:
            observation = Observation("", "", "", "", False)
        key = admitted.head.request_id.encode("ascii")
        # A trusted peer may send an id twice.
        if len(self._active) >= _MOST_ACTIVE or key in self._active:
            self.left_out += 1
        else:
            record = self._record(admitted, why, observation)
            observation.recording = self._active[key] = Recording(record, started)
            if not self.looks_back:
                # The calls of this request are to be found when it is over.
                self._trail.is_enabled = True
        return observation

    def end(
        self, observation: Observation | None, admitted: Admitted, summary: Summary, started: int, tries: Tries
    ) -> None:
        """A request is over, but for its completion hooks."""
        recording = observation.recording if observation is not None else None
        is_late = summary.status >= _SERVER_FAILURE or summary.duration >= self.slow or summary.outcome != _COMPLETED
        if recording is None:
            key = admitted.head.request_id.encode("ascii")
            if not is_late or not self.looks_back or not self._may_look_back(key):
                return
            known = observation
            if known is None and self._tracing is not None:
                known = self._follow(None, b"", trace_id_of(admitted.head.request_id, admitted.has_own_id))
            if known is None:
                known = Observation("", "", "", "", False)
            record = self._record(admitted, "", known, is_whole=False)
            recording = Recording(record, started)
            record.why = "slow" if summary.duration >= self.slow else "failed"
            self._active[key] = recording
        record = recording.record
        record.started_at = summary.started_at
        if is_late and self._tracing is not None:
            record.sampled = True
        record.method, record.path, record.query = summary.method, summary.path, summary.query
        record.duration = summary.duration
        record.status = summary.status
        record.outcome = _OUTCOMES[int(summary.outcome)]
        record.origin = _ORIGINS[int(summary.origin)]
        record.request_bytes = summary.request_bytes
        record.response_bytes = summary.response_bytes
        record.upstream = summary.upstream or ""
        record.endpoint = summary.endpoint or ""
        recording.add_tries(tries)
        recording.is_over = True

    def take_lines(self, lines: GuestLines) -> None:
        """Guests have logged these."""
        if self._active:
            for request_id, line in lines.of(self._active):
                self._active[request_id].add_line(GuestLine(line.guest, line.level, line.message))

    def publish(self) -> None:
        """Keep the records of requests that are over; to be called after `take_lines`."""
        if self.access_log is not None:
            self.access_log.flush()
        if not self._active:
            if self.watch_at != _NEVER and perf_counter_ns() >= self._watched_until:
                self.watch_at = _NEVER
                self._adjust()
            return
        over = [key for key, recording in self._active.items() if recording.is_over and not recording.open]
        for key in over:
            recording = self._active.pop(key)
            recording.add_calls(self._trail.find(key, recording.started))
            self.ring.add(recording.record)
            if recording.record.sampled:
                self._exemplify(recording.record)
        if not self._active and not self.looks_back:
            # It was for requests that were to be explained.
            self._trail.is_enabled = False

    def _exemplify(self, record: RequestRecord) -> None:
        """Have the record's trace stand for others of the same route that took about as long."""
        seconds = record.duration / 1e6
        known = self.exemplars.setdefault(record.route, {})
        known[bisect_left(self._bounds, seconds)] = (record.trace_id, record.span_id, seconds, record.started_at / 1e6)

    def counts(self) -> Mapping[str, int]:
        """How many requests were recorded, and how many left out for Rule 2."""
        return {"recorded": self.ring.next, "left_out": self.left_out}

    def _adjust(self) -> None:
        tracing, watching = self._tracing, self.watch_at != _NEVER
        self.is_on = tracing is not None
        self.slow = tracing.slow if tracing is not None else _NEVER
        self.looks_back = tracing is not None or watching
        self._trail.is_enabled = self.looks_back or bool(self._active)

    def _watch(self, started: int) -> str:
        if started >= self._watched_until:
            self.watch_at = _NEVER
            self._adjust()
            return ""
        self.watch_at = started + _WATCH_EVERY
        return "watched"

    def _may_explain(self, token: bytes) -> bool:
        return bool(self._explains) and hmac.compare_digest(sha256(token).digest(), self._explains)

    def _may_look_back(self, key: bytes) -> bool:
        now = perf_counter_ns()
        if now >= self._late_until:
            self._late_left = _LATE_EACH_SECOND
            self._late_until = now + _SECOND
        if not self._late_left or len(self._active) >= _MOST_ACTIVE or key in self._active:
            self.left_out += 1
            return False
        self._late_left -= 1
        return True

    def _follow(self, parent: TraceParent | None, state: bytes, trace_id: str) -> Observation:
        """Take part in the trace of ``parent``, or, without one, begin that of this id."""
        if parent is None:
            return Observation(trace_id, trace_id[16:], "", "", trace_id < self._threshold)
        span_id = getrandbits(64).to_bytes(8, "big").hex()
        return Observation(parent.trace_id, span_id, parent.parent_id, readable_state(state), parent.sampled)

    def _record(
        self, admitted: Admitted, why: str, observation: Observation, *, is_whole: bool = True
    ) -> RequestRecord:
        head = admitted.head
        return RequestRecord(
            id=head.request_id,
            why=why,
            worker=self._worker,
            started_at=0,
            route=head.route,
            method=head.method,
            scheme=head.scheme,
            authority=head.authority,
            path=head.path,
            query=head.query,
            client=head.client,
            http_version=head.http_version,
            trace_id=observation.trace_id,
            span_id=observation.span_id,
            parent_id=observation.parent_id,
            trace_state=observation.state,
            sampled=observation.sampled,
            is_whole=is_whole,
            user_agent=_field(head.headers, b"user-agent"),
            content_type=_field(head.headers, b"content-type"),
        )


def _field(headers: Headers, wanted: bytes) -> str:
    for name, value in headers:
        if name == wanted:
            return readable(value[:_MOST_FIELD])
    return ""


def _threshold(share: float) -> str:
    """Beyond the first 64 bits, in hexadecimal, of so many ids."""
    return f"{int(share * (1 << 64)):016x}" if share < 1 else "g"
