from __future__ import annotations

from pathlib import Path

from guestbuild import places


def test_the_repository_is_found_from_here() -> None:
    assert Path(__file__).is_relative_to(places.REPOSITORY / "tests")
