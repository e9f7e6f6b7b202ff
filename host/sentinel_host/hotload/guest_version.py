"""One version of a guest: a compiled file, and what its signature states."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import msgspec

from sentinel_host.sandbox import CompiledGuest

# People compare digests by their first digits.
_SHORT: Final = 12


class GuestVersion(msgspec.Struct, frozen=True):
    """A version of a guest that may go into service.

    ``path`` is the file that it was read from. ``number`` and ``key`` come from its signature,
    where the configuration asks for one. ``data`` is the whole file; it stays in the process that
    read it and is empty in workers, and so does ``is_standard``: whether the file is a standard
    guest's, and not one of the folder.
    """

    name: str
    path: str
    guest: CompiledGuest
    number: int | None = None
    key: str = ""
    data: bytes = b""
    is_standard: bool = False

    @property
    def sha256(self) -> str:
        """The digest of the file."""
        return self.guest.sha256

    @property
    def short(self) -> str:
        """The digest as log messages have it."""
        return shorten(self.guest.sha256)

    def is_same(self, other: GuestVersion | None) -> bool:
        """Whether both come from the same file content."""
        return other is not None and self.guest.sha256 == other.guest.sha256


def shorten(sha256: str) -> str:
    """A digest as log messages have it."""
    return sha256[:_SHORT]


def digests(versions: Mapping[str, GuestVersion]) -> dict[str, str]:
    """The digest of each version."""
    return {name: version.sha256 for name, version in versions.items()}
