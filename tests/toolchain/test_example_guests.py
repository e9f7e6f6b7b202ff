from __future__ import annotations

import subprocess
import sys

from guestbuild.places import GUESTS, REPOSITORY


def build() -> list[list[str]]:
    command = (sys.executable, REPOSITORY / "guest-examples" / "tooling", "build")
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    *guests, _ = done.stdout.splitlines()
    return [line.split() for line in guests]


def test_building_again_changes_nothing_and_restores_what_was_lost() -> None:
    build()
    lost = sorted(GUESTS.glob("*/*.wasm"))[0]
    lost.unlink()
    reports = {name: state for name, *_, state in build()}
    assert reports.pop(f"{lost.parent.name}/{lost.stem}") == "rebuilt"
    assert set(reports.values()) == {"unchanged"}
    assert lost.is_file()


def test_every_guest_is_a_component() -> None:
    """The preamble's version field tells a component (13, layer 1) from a core module (1, layer 0)."""
    build()
    for path in GUESTS.glob("*/*.wasm"):
        assert path.read_bytes()[:8] == b"\0asm\x0d\0\1\0", path
