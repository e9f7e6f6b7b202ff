"""What stands in a chain for a guest that is not in service."""

from __future__ import annotations

from collections.abc import Mapping

from sentinel_host.errors import GuestError
from sentinel_host.messages import RequestAction, ResponseAction
from sentinel_host.pipeline import BodyHook


class UnavailableGuest:
    """Stands in a chain for a guest that could not be loaded, so that a missing guest never shortens a chain.

    Its hooks fail: the request is answered 503, or goes on without the guest where the configuration says so. Why is
    what ``faults``, of the generation that it is part of, has for it by then: it changes with each file that comes.
    """

    handles_request = True
    handles_response = False
    handles_completion = False

    def __init__(self, name: str, on_failure: str, faults: Mapping[str, str]) -> None:
        self.name = name
        self.on_failure = on_failure
        self._faults = faults

    def on_request(self, record: bytes, request_id: bytes, client: str) -> RequestAction | None:
        """Raises `GuestError`, always."""
        raise GuestError(self.name, "on-request", f"not loaded: {self._faults[self.name]}")

    def on_response(self, record: bytes, context: bytes, request_id: bytes, client: str) -> ResponseAction | None:
        """Never called."""
        return None

    def on_complete(self, record: bytes, context: bytes, request_id: bytes, client: str) -> None:
        """Never called."""

    def request_body(self, context: bytes, request_id: bytes, client: str) -> BodyHook:
        """Never called: it asks for no body."""
        raise NotImplementedError

    response_body = request_body
