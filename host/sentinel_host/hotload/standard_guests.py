"""The standard guests, which the package ``sentinel-guests`` brings: built files, named like guests
of the folder.

Rule 1: A file in the guests' folder wins, even if it cannot be loaded.
Rule 2: The package is trusted like the rest of the installation. A configuration with
        ``verify_keys`` may still refuse its guests (`sentinel_host.hotload.loader`). No code of the
        package runs here.
"""

from __future__ import annotations

import importlib
import importlib.util
import os
import threading
from pathlib import Path
from typing import Final

from sentinel_host.errors import GuestLoadError
from sentinel_host.hotload.folder import SUFFIX, GuestAbsent

PACKAGE: Final = "sentinel-guests"
_MODULE: Final = "sentinel_guests"
_FILES: Final = "wasm"

# Guests are looked up in threads, and CPython's `PathFinder.invalidate_caches` removes entries that
# a second call at the same time removes too: that one would end with a KeyError.
_INVALIDATION: Final = threading.Lock()


class StandardGuests:
    """The guests of the installed package, looked up anew each time. Files above ``max_bytes`` are
    refused.
    """

    def __init__(self, max_bytes: int) -> None:
        self._max_bytes = max_bytes

    def names(self) -> set[str]:
        """The names of all standard guests; none if the package is not installed."""
        directory = _directory()
        try:
            entries = os.listdir(directory) if directory is not None else []
        except OSError:
            entries = []
        return {entry.removesuffix(SUFFIX) for entry in entries if entry.endswith(SUFFIX)}

    def read(self, name: str, missing: GuestAbsent) -> tuple[str, bytes]:
        """A standard guest's path and its file, whole, in place of what is ``missing`` in the
        folder.

        Raises `GuestLoadError`, which says what is missing in the folder when there is no such
        standard guest.
        """
        directory = _directory()
        if directory is None:
            raise GuestAbsent(f"{missing}, and the package {PACKAGE}, which has the standard guests, is not installed")
        path = directory / (name + SUFFIX)
        try:
            with path.open("rb") as file:
                data = file.read(self._max_bytes + 1)
        except FileNotFoundError:
            raise GuestAbsent(f"{missing}, and {PACKAGE} has no standard guest of this name") from None
        except OSError as error:
            raise GuestLoadError(f"{path}: cannot be read: {error.strerror}") from None
        if len(data) > self._max_bytes:
            raise GuestLoadError(f"{path}: is larger than {self._max_bytes} bytes")
        return str(path), data


def _directory() -> Path | None:
    # The package may have been installed after this process was started.
    with _INVALIDATION:
        importlib.invalidate_caches()
    found = importlib.util.find_spec(_MODULE)
    places = found.submodule_search_locations if found is not None else None
    return Path(next(iter(places)), _FILES) if places else None
