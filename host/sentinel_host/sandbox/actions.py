"""A guest's answers as actions, checked against what this use of the guest may do."""

from __future__ import annotations

from collections.abc import Set
from typing import Final

from sentinel_host.abi.contract import ON_REQUEST_CHUNK, ON_RESPONSE_CHUNK, Hook
from sentinel_host.abi.decode import (
    decode_request_action,
    decode_request_body_action,
    decode_response_action,
    decode_response_body_action,
)
from sentinel_host.abi.rules import AbiError, AnswerLimits
from sentinel_host.memo import Memo
from sentinel_host.messages import (
    SKIP,
    BodyMode,
    HeldRequest,
    RequestAction,
    RequestBodyAction,
    RequestEdits,
    ResponseAction,
    ResponseBodyAction,
    ResponseEdits,
)

# A guest repeats a few answers, and decoding one costs more than the call. A few header edits take
# some tens of bytes. A guest that sets a principal has as many answers as there are principals.
_KEPT: Final = 256
_LONGEST_KEPT: Final = 512


class ActionDecoder:
    """Decodes what each hook answered; ``None`` stands for "go on, no change". Every method raises
    `AbiError`.

    ``hooks`` are those that the guest exports, ``upstreams`` the names that it may choose,
    ``memory`` the bytes that it may have.
    """

    __slots__ = ("_hooks", "_limits", "_memory", "_request_edits", "_response_edits", "_upstreams")

    def __init__(self, limits: AnswerLimits, memory: int, hooks: Set[Hook], upstreams: frozenset[str]) -> None:
        self._limits = limits
        self._memory = memory
        self._hooks = hooks
        self._upstreams = upstreams
        # Edits are shared, because applying them does not change them. Responses are changed later,
        # so they are decoded anew.
        self._request_edits: Memo[bytes, RequestEdits] = Memo(_KEPT, _LONGEST_KEPT)
        self._response_edits: Memo[bytes, ResponseEdits] = Memo(_KEPT, _LONGEST_KEPT)

    def request(self, answer: bytes) -> RequestAction | None:
        """The answer of ``on-request``."""
        known = self._request_edits.known.get(answer)
        if known is not None:
            return known
        action = decode_request_action(answer, self._limits)
        if type(action) is RequestEdits:
            self._check_upstream(action)
            action.body = self._mode(action.body, ON_REQUEST_CHUNK)
            self._request_edits.keep(answer, action)
        return action

    def response(self, answer: bytes) -> ResponseAction | None:
        """The answer of ``on-response``."""
        known = self._response_edits.known.get(answer)
        if known is not None:
            return known
        action = decode_response_action(answer, self._limits)
        if type(action) is ResponseEdits:
            action.body = self._mode(action.body, ON_RESPONSE_CHUNK)
            self._response_edits.keep(answer, action)
        return action

    def completion(self, answer: bytes) -> None:
        """The answer of ``on-complete``, which must be empty."""
        return None

    def request_chunk(self, answer: bytes) -> RequestBodyAction | None:
        """The answer of ``on-request-chunk``."""
        action = decode_request_body_action(answer, self._limits)
        if type(action) is HeldRequest:
            self._check_upstream(action.edits)
        return action

    def response_chunk(self, answer: bytes) -> ResponseBodyAction | None:
        """The answer of ``on-response-chunk``."""
        return decode_response_body_action(answer, self._limits)

    def _check_upstream(self, edits: RequestEdits) -> None:
        if edits.upstream is not None and edits.upstream not in self._upstreams:
            raise AbiError(f"chose the upstream {edits.upstream[:64]!r}, which is not granted to it")

    def _mode(self, mode: BodyMode, hook: Hook) -> BodyMode:
        """The mode that a guest asked for, with a limit no larger than the guest's memory."""
        if mode is SKIP:
            return mode
        if hook not in self._hooks:
            raise AbiError(f"asks for the body, and exports no {hook.name}")
        return BodyMode(mode.kind, self._memory) if mode.limit > self._memory else mode
