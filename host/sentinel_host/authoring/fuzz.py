"""Odd requests for a guest, each made from a seed: what makes it trap, run out of time, or break
the contract.

A request takes the way that a gateway leads it. The guest is asked about a response only if it let
the request through, gets bodies that it asked for and no others, and gets the context that it left.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from random import Random
from typing import Any, Final

from sentinel_host.abi.contract import (
    CONFIGURE,
    ON_COMPLETE,
    ON_REQUEST,
    ON_REQUEST_CHUNK,
    ON_RESPONSE,
    ON_RESPONSE_CHUNK,
)
from sentinel_host.abi.decode import (
    decode_request_action,
    decode_request_body_action,
    decode_response_action,
    decode_response_body_action,
)
from sentinel_host.abi.rules import AbiError, AnswerLimits
from sentinel_host.authoring import odd
from sentinel_host.authoring.workbench import Setup, StartedGuest, Workbench, guest_failure
from sentinel_host.errors import GuestError
from sentinel_host.messages import Answer, BodyKind, BodyMode, RequestEdits, Response, ResponseEdits
from sentinel_host.sandbox.cases import head_record

# What is found once is found again: so many different findings are enough to begin with.
_MOST_FINDINGS: Final = 10
# The share of requests whose client leaves before there is a response.
_LEAVING: Final = 0.1

_DECODERS: Final[dict[str, Callable[[bytes, AnswerLimits], object]]] = {
    ON_REQUEST.name: decode_request_action,
    ON_RESPONSE.name: decode_response_action,
    ON_REQUEST_CHUNK.name: decode_request_body_action,
    ON_RESPONSE_CHUNK.name: decode_response_body_action,
}


@dataclass(frozen=True, slots=True)
class Finding:
    """A call that a guest failed: ``request`` is it as a self-test writes it, ``number`` the
    request's place in the sequence.
    """

    number: int
    reason: str
    request: dict[str, object]


@dataclass(frozen=True, slots=True)
class Fuzzed:
    """How many requests were made, and the first failure of each kind."""

    requests: int
    seed: int
    findings: tuple[Finding, ...]


def fuzz(bench: Workbench, config: bytes, requests: int, seed: int) -> Fuzzed:
    """Lead so many requests through the hooks that the guest exports.

    Raises `GuestError` for a guest that does not start with ``config``.
    """
    chance = Random(seed)
    hooks = frozenset(bench.guest.hooks) - {CONFIGURE.name}
    started = bench.start(config, Setup(http=odd.service(chance), seed=seed))
    findings: dict[tuple[str, str], Finding] = {}
    made = 0
    while hooks and made < requests and len(findings) < _MOST_FINDINGS:
        made += 1
        for failed in _Exchange(started, hooks, bench.guest.blueprint.limits.answers, chance).run():
            finding = Finding(made, failed.reason, {"hook": failed.hook, **failed.told})
            findings.setdefault((failed.hook, _kind(failed.reason)), finding)
        started.advance(chance.choice((0, 1_000_000, 3_600_000_000_000)))
        started.take_logs()
        started.take_calls()
    return Fuzzed(made, seed, tuple(findings.values()))


def _kind(reason: str) -> str:
    """The same for failures at one place: the reason's first line and the innermost frame."""
    return "\n".join(reason.splitlines()[:2])


class _Failed(Exception):
    """A call ended the request; ``told`` is what it was given, as a self-test writes it."""

    def __init__(self, hook: str, reason: str, told: dict[str, object]) -> None:
        self.hook = hook
        self.reason = reason
        self.told = told


class _Exchange:
    """One request on its way through the guest."""

    def __init__(self, started: StartedGuest, hooks: frozenset[str], limits: AnswerLimits, chance: Random) -> None:
        self._started = started
        self._hooks = hooks
        self._limits = limits
        self._chance = chance
        self._context = b""

    def run(self) -> list[_Failed]:
        """The calls that failed; the hook for completion is called whatever happened before."""
        failures = []
        for step in (self._pass, self._complete):
            try:
                step()
            except _Failed as failed:
                failures.append(failed)
        return failures

    def _pass(self) -> None:
        if self._is_let_through() and self._chance.random() >= _LEAVING and ON_RESPONSE.name in self._hooks:
            action = self._head(ON_RESPONSE.name, odd.response_head(self._chance))
            if isinstance(action, ResponseEdits):
                self._is_taken(ON_RESPONSE_CHUNK.name, action.body)

    def _is_let_through(self) -> bool:
        if ON_REQUEST.name not in self._hooks:
            return True
        action = self._head(ON_REQUEST.name, odd.request_head(self._chance))
        if isinstance(action, RequestEdits | Answer):
            self._context = action.context
        if isinstance(action, RequestEdits):
            return self._is_taken(ON_REQUEST_CHUNK.name, action.body)
        return not isinstance(action, Answer)

    def _is_taken(self, hook: str, mode: BodyMode) -> bool:
        """Whether a body that the guest asked for came to its end."""
        if mode.kind is BodyKind.SKIP or hook not in self._hooks:
            return True
        chunks = odd.body(self._chance)
        if mode.kind is BodyKind.BUFFER:
            chunks = [b"".join(chunks)]
            if len(chunks[0]) > mode.limit:
                return False
        told: dict[str, object] = {"chunk": _text(b"".join(chunks)), "pieces": len(chunks)}
        for place, chunk in enumerate(chunks, 1):
            if isinstance(self._call(hook, told, chunk, last=place == len(chunks)), Response):
                # A gateway discards the instance of a body that is not over.
                self._started.close()
                return False
        return True

    def _complete(self) -> None:
        if ON_COMPLETE.name in self._hooks:
            self._head(ON_COMPLETE.name, odd.summary(self._chance))

    def _head(self, hook: str, head: dict[str, Any]) -> object:
        return self._call(hook, {"head": head}, head_record(hook, head))

    def _call(self, hook: str, told: dict[str, object], payload: bytes, *, last: bool = True) -> object:
        """The action that the guest answers."""
        context = self._context
        if context:
            told = {**told, "context": _text(context)}
        try:
            answer = self._started.call(hook, payload, context, last)
            return _DECODERS[hook](answer or b"", self._limits) if hook in _DECODERS else None
        except GuestError as error:
            raise _Failed(hook, guest_failure(error), told) from None
        except AbiError as error:
            raise _Failed(hook, f"{hook}: an answer that the contract does not allow: {error}", told) from None


def _text(data: bytes) -> str:
    return data.decode(errors="backslashreplace")
