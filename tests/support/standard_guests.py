"""The package ``sentinel-guests``, for gateways that name standard guests."""

from __future__ import annotations

import os

import pytest

from guestbuild.places import BUILD
from guestbuild.standard_package import assemble
from sentinel_host.authoring.cache import locked


@pytest.fixture(scope="session")
def standard_guests(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A path for Python on which the package is."""
    folder = tmp_path_factory.mktemp("standard-guests")
    with locked(BUILD / "guests.lock"):
        assemble(folder / "package")
    return os.pathsep.join([str(folder / "package"), *filter(None, [os.environ.get("PYTHONPATH")])])
