"""Where a worker's guests come from: its supervisor offers them, and gives out code once for all that ask."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Final

import msgspec

from sentinel_host.control import Channel, Code, CodeRequest, ControlError, Guests
from sentinel_host.errors import GuestLoadError
from sentinel_host.hotload.loader import Offer

if TYPE_CHECKING:
    # The supervisor imports this module, and does without the gateway.
    from sentinel_host.gateway import Live

# Of a piece: a quarter of what a frame may be, so that other messages need not wait for long.
PIECE: Final = 4 << 20
_ANSWER_TIME: Final = 10.0


def without_code(offer: Offer) -> Offer:
    """An offer as it is sent: some hundred bytes instead of as many kilobytes."""
    return msgspec.structs.replace(offer, guest=msgspec.structs.replace(offer.guest, code=b""))


class OfferedGuests:
    """A `sentinel_host.gateway.app.Supply`; ``guests`` are those that the worker was started with."""

    def __init__(self, guests: Guests) -> None:
        self._guests = guests
        self._channel: Channel
        self._live: Live

    def connect(self, live: Live, channel: Channel) -> None:
        """Ask there for what is not in service already; before anything is served."""
        self._live, self._channel = live, channel

    async def obtain(self, names: Iterable[str]) -> tuple[dict[str, Offer], dict[str, str]]:
        """What the worker was started with. Raises `GuestLoadError` when the supervisor is gone."""
        return await self.take(self._guests)

    async def take(self, guests: Guests) -> tuple[dict[str, Offer], dict[str, str]]:
        """What is offered, with its code. Raises `GuestLoadError`."""
        return {offer.name: await self.complete(offer) for offer in guests.offers}, dict(guests.faults)

    async def complete(self, offer: Offer) -> Offer:
        """An offer with its code. Raises `GuestLoadError`."""
        sha256 = offer.guest.sha256
        served = self._live.offers.get(offer.name)
        if served is not None and served.guest.sha256 == sha256:
            code = served.guest.code
        else:
            code = await self._fetch(sha256)
        return msgspec.structs.replace(offer, guest=msgspec.structs.replace(offer.guest, code=code))

    def start(self) -> None:
        """Part of `Supply`: the supervisor speaks unasked."""

    def reload(self) -> None:
        """Part of `Supply`: the supervisor watches."""

    async def close(self) -> None:
        """Part of `Supply`."""

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
