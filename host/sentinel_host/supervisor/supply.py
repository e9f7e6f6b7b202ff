"""Where a worker's guests come from: its supervisor offers them, and gives out code once for all that ask."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Final

import msgspec

from sentinel_host.config import Config
from sentinel_host.control import Channel, Code, CodeRequest, ControlError, Faltered, Guests, Tripped
from sentinel_host.errors import GuestLoadError
from sentinel_host.hotload.loader import Offer
from sentinel_host.hotload.placement import Placement

if TYPE_CHECKING:
    # The supervisor imports this module, and does without the gateway.
    from sentinel_host.gateway import Live

_log = logging.getLogger("sentinel.supervisor")

# Of a piece: a quarter of what a frame may be, so that other messages need not wait for long.
PIECE: Final = 4 << 20
_ANSWER_TIME: Final = 10.0


def without_code(offer: Offer) -> Offer:
    """An offer as it is sent: some hundred bytes instead of as many kilobytes."""
    return msgspec.structs.replace(offer, guest=msgspec.structs.replace(offer.guest, code=b""), data=b"")


def placement_without_code(placement: Placement) -> Placement:
    """The same for a placement."""
    candidate = placement.candidate
    return msgspec.structs.replace(
        placement,
        serving=without_code(placement.serving),
        candidate=without_code(candidate) if candidate is not None else None,
    )


class OfferedGuests:
    """A `sentinel_host.gateway.app.Supply`; ``guests`` are those that the worker was started with.

    It also tells the supervisor of versions that are on trial.
    """

    def __init__(self, guests: Guests) -> None:
        self._guests = guests
        self._placing: asyncio.Task[None] | None = None
        self._channel: Channel
        self._live: Live

    def connect(self, live: Live, channel: Channel) -> None:
        """Ask there for what is not in service already; before anything is served."""
        self._live, self._channel = live, channel
        live.watcher = self

    async def obtain(self, names: Iterable[str]) -> tuple[dict[str, Offer], dict[str, str]]:
        """What the worker was started with. Raises `GuestLoadError` when the supervisor is gone."""
        return await self.take(self._guests)

    async def take(self, guests: Guests) -> tuple[dict[str, Offer], dict[str, str]]:
        """What is offered, with its code. Raises `GuestLoadError`."""
        return {offer.name: await self.complete(offer) for offer in guests.offers}, dict(guests.faults)

    async def complete(self, offer: Offer) -> Offer:
        """An offer with its code. Raises `GuestLoadError`."""
        sha256 = offer.guest.sha256
        served = (known.guest for known in self._live.known(offer.name) if known.guest.sha256 == sha256)
        code = next((guest.code for guest in served), None) or await self._fetch(sha256)
        return msgspec.structs.replace(offer, guest=msgspec.structs.replace(offer.guest, code=code))

    async def place(self, placement: Placement) -> str | None:
        """Have a guest serve so; returns the reason if it does not. Raises `GuestLoadError`."""
        candidate = placement.candidate
        whole = msgspec.structs.replace(
            placement,
            serving=await self.complete(placement.serving),
            candidate=await self.complete(candidate) if candidate is not None else None,
        )
        return await self._live.place(whole)

    async def place_all(self, guests: Guests) -> None:
        """Have all guests, which serve already, serve as they are to."""
        for placement in guests.all_placements().values():
            if placement.serving.name in self._live.serving():
                await self.place(placement)

    def faltered(self, name: str, sha256: str) -> None:
        """Part of `sentinel_host.gateway.live.Watcher`."""
        self._channel.send(Faltered(name, sha256))

    def tripped(self, name: str, sha256: str, reason: str) -> None:
        """Part of `sentinel_host.gateway.live.Watcher`."""
        self._channel.send(Tripped(name, sha256, reason))

    def start(self) -> None:
        """Part of `Supply`: canaries and trials begin; the supervisor speaks unasked."""
        if self._guests.placements:
            self._placing = asyncio.get_running_loop().create_task(self._place_first())

    def reload(self) -> None:
        """Part of `Supply`: the supervisor watches."""

    async def follow(self, config: Config) -> None:
        """Part of `Supply`: the supervisor watches."""

    def renew(self, config: Config) -> Callable[[], None]:
        """Part of `Supply`: the supervisor has the keys."""
        return lambda: None

    async def close(self) -> None:
        """Part of `Supply`."""
        if self._placing is not None:
            self._placing.cancel()
            await asyncio.wait([self._placing])

    async def _place_first(self) -> None:
        try:
            await self.place_all(self._guests)
        except GuestLoadError as error:
            _log.error("a canary was not begun: %s", error)

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
