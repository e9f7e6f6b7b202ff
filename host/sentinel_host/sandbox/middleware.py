"""A guest in the place of a middleware: records in, decoded and checked actions out."""

from __future__ import annotations

from sentinel_host.abi.codec import AbiError, decode_request_action, decode_response_action
from sentinel_host.abi.contract import ON_COMPLETE, ON_REQUEST, ON_REQUEST_CHUNK, ON_RESPONSE, ON_RESPONSE_CHUNK
from sentinel_host.errors import GuestProtocolError
from sentinel_host.messages import RequestAction, RequestEdits, ResponseAction
from sentinel_host.native.guest import CallFailed, NativeGuest
from sentinel_host.sandbox.instance import SLOTS, Blueprint, guest_error, start

_ON_REQUEST = SLOTS[ON_REQUEST]
_ON_RESPONSE = SLOTS[ON_RESPONSE]
_ON_COMPLETE = SLOTS[ON_COMPLETE]


class GuestMiddleware:
    """One use of a guest, with one configuration, as a chain calls it.

    Every hook takes its record's bytes and the id of the request, which marks what the guest logs, and raises
    `GuestTrap` or `GuestProtocolError`. A failed call discards the instance; the next call makes a new one. Hooks that
    the guest does not export must not be called: the ``handles_…`` attributes tell which those are.
    """

    __slots__ = (
        "_answers",
        "_blueprint",
        "_config",
        "_instance",
        "_upstreams",
        "handles_completion",
        "handles_request",
        "handles_request_body",
        "handles_response",
        "handles_response_body",
        "name",
        "on_failure",
    )

    def __init__(self, blueprint: Blueprint, config: bytes, on_failure: str, upstreams: frozenset[str]) -> None:
        """Starts and configures the first instance; raises `GuestError`."""
        hooks = {checked.hook for checked in blueprint.checked.hooks}
        self.name = blueprint.name
        self.on_failure = on_failure
        self.handles_request = ON_REQUEST in hooks
        self.handles_response = ON_RESPONSE in hooks
        self.handles_completion = ON_COMPLETE in hooks
        self.handles_request_body = ON_REQUEST_CHUNK in hooks
        self.handles_response_body = ON_RESPONSE_CHUNK in hooks
        self._blueprint = blueprint
        self._config = config
        self._answers = blueprint.limits.answers
        self._upstreams = upstreams
        self._instance: NativeGuest | None = start(blueprint, config)

    def on_request(self, record: bytes, request_id: str) -> RequestAction | None:
        """Call ``on-request`` with a ``request-head``; ``None`` stands for "go on, no change"."""
        answer = self._call(_ON_REQUEST, "on-request", record, b"", request_id)
        if answer is None:
            return None
        try:
            action = decode_request_action(answer, self._answers)
        except AbiError as error:
            raise GuestProtocolError(self.name, "on-request", str(error)) from None
        if type(action) is RequestEdits and action.upstream is not None and action.upstream not in self._upstreams:
            raise GuestProtocolError(
                self.name, "on-request", f"chose the upstream {action.upstream[:64]!r}, which is not granted to it"
            )
        return action

    def on_response(self, record: bytes, context: bytes, request_id: str) -> ResponseAction | None:
        """Call ``on-response`` with a ``response-head``; ``None`` stands for "go on, no change"."""
        answer = self._call(_ON_RESPONSE, "on-response", record, context, request_id)
        if answer is None:
            return None
        try:
            return decode_response_action(answer, self._answers)
        except AbiError as error:
            raise GuestProtocolError(self.name, "on-response", str(error)) from None

    def on_complete(self, record: bytes, context: bytes, request_id: str) -> None:
        """Call ``on-complete`` with a ``summary``."""
        self._call(_ON_COMPLETE, "on-complete", record, context, request_id)

    def close(self) -> None:
        """Drop the instance. No hook may be called any more."""
        self._instance = None

    def _call(self, slot: int, hook: str, record: bytes, context: bytes, request_id: str) -> bytes | None:
        instance = self._instance
        if instance is None:
            instance = self._instance = start(self._blueprint, self._config)
        try:
            return instance.call(slot, record, context, False, request_id)
        except CallFailed as failed:
            self._instance = None
            raise guest_error(self.name, hook, failed) from None
