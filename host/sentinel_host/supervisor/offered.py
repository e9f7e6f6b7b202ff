"""A worker's guests: its supervisor offers versions by digest, and sends the code that the worker
lacks.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Final

import msgspec

from sentinel_host.config import Config
from sentinel_host.control import Channel, Code, CodeRequest, ControlError, Guests
from sentinel_host.errors import GuestLoadError
from sentinel_host.hotload.deployment import Deployment
from sentinel_host.hotload.guest_version import GuestVersion

# Bytes of a piece: a quarter of a frame's limit, so that other messages need not wait for long.
PIECE: Final = 4 << 20
_ANSWER_TIME: Final = 10.0


def without_code(version: GuestVersion) -> GuestVersion:
    """A version as it is sent: some hundred bytes instead of as many kilobytes."""
    return msgspec.structs.replace(version, guest=msgspec.structs.replace(version.guest, code=b""), data=b"")


def deployment_without_code(deployment: Deployment) -> Deployment:
    """The same for a deployment."""
    candidate = deployment.candidate
    return msgspec.structs.replace(
        deployment,
        serving=without_code(deployment.serving),
        candidate=without_code(candidate) if candidate is not None else None,
    )


class OfferedGuests:
    """A `GuestSource` over ``channel``; ``guests`` are those that the worker was started with."""

    def __init__(self, guests: Guests, channel: Channel) -> None:
        self._guests = guests
        self._channel = channel
        # Of canaries, by digest, until they are deployed: once a worker is ready, its supervisor
        # keeps no code for it.
        self._codes: dict[str, bytes] = {}

    async def obtain(self, names: Iterable[str]) -> tuple[dict[str, GuestVersion], dict[str, str]]:
        """Part of `GuestSource`: what the worker was started with.

        Raises `GuestLoadError` when the supervisor is gone.
        """
        versions = {version.name: await self.complete(version, ()) for version in self._guests.versions}
        for deployment in self._guests.deployments:
            if (candidate := deployment.candidate) is not None:
                self._codes[candidate.sha256] = await self._fetch(candidate.sha256)
        return versions, dict(self._guests.faults)

    async def complete(self, version: GuestVersion, known: Iterable[GuestVersion]) -> GuestVersion:
        """An offered version with its code, which one of the ``known`` versions may have. Raises
        `GuestLoadError`.
        """
        code = next((other.guest.code for other in known if other.is_same(version)), None)
        if code is None:
            code = self._codes.pop(version.sha256, None)
        if code is None:
            code = await self._fetch(version.sha256)
        return msgspec.structs.replace(version, guest=msgspec.structs.replace(version.guest, code=code))

    async def follow(self, config: Config) -> None:
        """Part of `GuestSource`: the supervisor watches files."""

    def renew(self, config: Config) -> Callable[[], None]:
        """Part of `GuestSource`: the supervisor has the keys."""
        return lambda: None

    async def _fetch(self, sha256: str) -> bytes:
        pieces: list[bytes] = []
        size = 0
        while True:
            try:
                answer = await self._channel.ask(CodeRequest(sha256, size), _ANSWER_TIME)
            except ControlError as error:
                raise GuestLoadError(f"no code from the supervisor: {error}") from None
            assert isinstance(answer, Code)
            if not answer.data:
                return b"".join(pieces)
            pieces.append(answer.data)
            size += len(answer.data)
