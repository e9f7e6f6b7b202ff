"""What stands in a chain for a guest that is not in service."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NoReturn

from sentinel_host.errors import GuestError
from sentinel_host.messages import RequestAction, ResponseAction
from sentinel_host.pipeline import BodyHook


class UnavailableGuest:
    """Stands in a chain for a guest that could not be loaded, so that a missing guest never
    shortens a chain.

    Its hooks fail: the request is answered 503, or goes on without the guest if its ``on_failure``
    is ``open``. ``faults`` are those of its generation. They hold the reason, which changes with
    every new file of the guest.
    """

    direct = None
    handles_request = True
    handles_response = False
    handles_completion = False

    def __init__(self, name: str, on_failure: str, faults: Mapping[str, str]) -> None:
        self.name = name
        self.on_failure = on_failure
        self._faults = faults

    def on_request(self, record: bytes, request_id: bytes, client: str) -> RequestAction | None:
        """Raises `GuestError`, always, as the other hooks do."""
        self._fail("on-request")

    def on_response(self, record: bytes, context: bytes, request_id: bytes, client: str) -> ResponseAction | None:
        """See `on_request`."""
        self._fail("on-response")

    def on_complete(self, record: bytes, context: bytes, request_id: bytes, client: str) -> None:
        """See `on_request`."""
        self._fail("on-complete")

    def request_body(self, context: bytes, request_id: bytes, client: str) -> BodyHook:
        """See `on_request`."""
        self._fail("on-request-chunk")

    def response_body(self, context: bytes, request_id: bytes, client: str) -> BodyHook:
        """See `on_request`."""
        self._fail("on-response-chunk")

    def _fail(self, hook: str) -> NoReturn:
        raise GuestError(self.name, hook, f"not loaded: {self._faults[self.name]}")
