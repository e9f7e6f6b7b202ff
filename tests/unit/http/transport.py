"""A transport without a socket, for protocols that are tested on a jumping clock."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any


class Transport:
    """A transport that takes everything, or of which ``held`` bytes stay unsent. ``lose`` is called
    once it is gone.
    """

    def __init__(self, lose: Callable[[], None]) -> None:
        self.lose = lose
        self.written = bytearray()
        self.events: list[str] = []
        self.held = 0

    def get_extra_info(self, name: str) -> Any:
        return {"peername": ("192.0.2.1", 1), "sockname": ("192.0.2.2", 80)}.get(name)

    def write(self, data: bytes) -> None:
        self.written += data

    def writelines(self, pieces: list[bytes]) -> None:
        self.written += b"".join(pieces)

    def get_write_buffer_size(self) -> int:
        return self.held

    def can_write_eof(self) -> bool:
        return True

    def write_eof(self) -> None:
        self.events.append("eof")

    def is_closing(self) -> bool:
        return bool({"close", "abort"} & set(self.events))

    def close(self) -> None:
        self.events.append("close")

    def abort(self) -> None:
        self.events.append("abort")
        asyncio.get_running_loop().call_soon(self.lose)

    def pause_reading(self) -> None:
        self.events.append("pause")

    def resume_reading(self) -> None:
        self.events.append("resume")
