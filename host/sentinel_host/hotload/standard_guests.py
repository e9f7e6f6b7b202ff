"""The standard guests, which the package ``sentinel-guests`` brings: built files, named like guests
of the folder.

Rule 1: A file in the guests' folder wins, even if it cannot be loaded.
Rule 2: The package is trusted like the rest of the installation. A configuration with
        ``verify_keys`` may still refuse its guests (`sentinel_host.hotload.loader`). No code of the
        package runs here.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Final

from sentinel_host.errors import GuestLoadError
from sentinel_host.hotload.folder import SUFFIX, GuestAbsent

PACKAGE: Final = "sentinel-guests"
_MODULE: Final = "sentinel_guests"
_FILES: Final = "wasm"


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
    # Not by `importlib.util.find_spec`: the package may have been installed after this process was
    # started, so Python would have to forget what it knows of its path; and doing so fails by chance
    # while another thread does so too, or imports a module.
    for entry in sys.path:
        directory = os.path.join(entry, _MODULE, _FILES)
        # Unlike pathlib's, it passes over what this user may not look into, as imports do.
        if os.path.isdir(directory):
            return Path(directory)
    return None
