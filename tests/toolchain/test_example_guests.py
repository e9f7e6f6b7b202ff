from __future__ import annotations

from pathlib import Path

from guestbuild import build_rust
from guestbuild.command_line import main
from guestbuild.places import GUESTS


def test_building_again_changes_nothing_and_restores_what_was_lost(tmp_path: Path) -> None:
    out = tmp_path / "guests"
    first = build_rust(out=out)
    assert all(guest.rebuilt for guest in first)
    assert not any(guest.rebuilt for guest in build_rust(out=out))
    first[0].path.unlink()
    first[1].path.write_bytes(b"\0asm")
    assert [guest.rebuilt for guest in build_rust(out=out)] == [True, True] + [False] * len(first[2:])
    assert not list(out.glob("*.new"))


def test_every_guest_is_a_component() -> None:
    """The preamble's version field tells a component (13, layer 1) from a core module (1, layer
    0).
    """
    assert main(["build"]) == 0
    guests = sorted(GUESTS.glob("*/*.wasm"))
    assert {path.parent.name for path in guests} == {"rust", "assemblyscript", "typescript", "python", "go", "c", "zig"}
    for path in guests:
        assert path.read_bytes()[:8] == b"\0asm\x0d\0\1\0", path
