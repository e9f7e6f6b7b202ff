from __future__ import annotations

from pathlib import Path

from sentinel_host.authoring.custom_sections import extended, of_project, stripped

EMPTY = b"\0asm\1\0\0\0"
# One type, no parameters and no results.
TYPES = b"\1\4\1\x60\0\0"


def test_sections_come_last_and_have_their_lengths() -> None:
    assert extended(EMPTY + TYPES, {"a": b"xy"}) == EMPTY + TYPES + b"\0\4\1axy"
    long = extended(EMPTY, {"name": b"x" * 300})
    assert long == EMPTY + b"\0\xb1\2\4name" + b"x" * 300


def test_debug_information_goes_and_names_stay() -> None:
    module = extended(EMPTY + TYPES, {".debug_info": b"x" * 200, "name": b"n", ".debug_line": b"", "producers": b"p"})
    assert stripped(module) == extended(EMPTY + TYPES, {"name": b"n", "producers": b"p"})


def test_the_files_of_a_project(tmp_path: Path) -> None:
    assert of_project(tmp_path) == {}
    (tmp_path / "config-schema.json").write_text("{}")
    (tmp_path / "self-test.json").write_text("[]")
    assert of_project(tmp_path) == {"sentinel:self-test": b"[]", "sentinel:config-schema": b"{}"}
