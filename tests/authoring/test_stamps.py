from __future__ import annotations

from pathlib import Path

import pytest

from sentinel_host.authoring import stamps
from sentinel_host.errors import ToolchainError


@pytest.fixture
def sources(tmp_path: Path) -> Path:
    folder = tmp_path / "guest"
    (folder / "src").mkdir(parents=True)
    (folder / "src" / "lib.rs").write_text("fn main() {}")
    (folder / "Cargo.toml").write_text("[package]")
    return folder


def test_digest_sees_contents_names_and_salt(sources: Path) -> None:
    seen = {stamps.tree_digest([sources]), stamps.tree_digest([sources], salt="rustc 2")}
    (sources / "src" / "lib.rs").write_text("fn main() { }")
    seen.add(stamps.tree_digest([sources]))
    (sources / "src" / "lib.rs").rename(sources / "src" / "main.rs")
    seen.add(stamps.tree_digest([sources]))
    (sources / "README.md").write_text("")
    seen.add(stamps.tree_digest([sources]))
    assert len(seen) == 5


def test_digest_sees_from_which_root_a_file_comes(sources: Path, tmp_path: Path) -> None:
    one, other = tmp_path / "one", tmp_path / "other"
    one.mkdir()
    other.mkdir()
    (one / "a").write_text("x")
    first = stamps.tree_digest([one, other])
    (one / "a").rename(other / "a")
    assert stamps.tree_digest([one, other]) != first


@pytest.mark.parametrize("product", ["target/debug/lib.rlib", "node_modules/x/index.js", "build/a.wasm"])
def test_products_are_not_inputs(sources: Path, product: str) -> None:
    before = stamps.tree_digest([sources])
    (sources / product).parent.mkdir(parents=True)
    (sources / product).write_text("noise")
    assert stamps.tree_digest([sources]) == before


def test_a_missing_input_is_not_an_empty_one(tmp_path: Path) -> None:
    with pytest.raises(ToolchainError, match="nowhere does not exist"):
        stamps.tree_digest([tmp_path / "nowhere"])


class TestIsCurrent:
    @pytest.fixture
    def stamp(self, tmp_path: Path) -> Path:
        output = tmp_path / "guest.wasm"
        output.write_bytes(b"\0asm")
        stamps.record(tmp_path / "stamp.json", "inputs", {"guest.wasm": stamps.file_digest(output)})
        return tmp_path / "stamp.json"

    def test_same_inputs_and_outputs(self, stamp: Path) -> None:
        assert stamps.is_current(stamp, "inputs", stamp.parent)
        assert not stamps.is_current(stamp, "other inputs", stamp.parent)

    def test_an_altered_output_is_built_again(self, stamp: Path) -> None:
        (stamp.parent / "guest.wasm").write_bytes(b"\0asm\1")
        assert not stamps.is_current(stamp, "inputs", stamp.parent)

    def test_a_deleted_output_is_built_again(self, stamp: Path) -> None:
        (stamp.parent / "guest.wasm").unlink()
        assert not stamps.is_current(stamp, "inputs", stamp.parent)

    @pytest.mark.parametrize("content", ["", "{", "[]", '{"inputs": "inputs"}', '{"inputs": "inputs", "outputs": 1}'])
    def test_a_broken_stamp_is_no_stamp(self, stamp: Path, content: str) -> None:
        stamp.write_text(content)
        assert not stamps.is_current(stamp, "inputs", stamp.parent)
