"""What was built from what, by content: a build is skipped only if inputs and outputs are byte for
byte the same.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from sentinel_host.errors import ToolchainError

# Products and installed dependencies; lock files and manifests stand for them.
_NOT_INPUTS = frozenset({"target", "node_modules", "build", "dist", "__pycache__"})


def file_digest(path: Path) -> str:
    with path.open("rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()


def tree_digest(roots: Iterable[Path], salt: str = "") -> str:
    """One digest over the relative names and contents of all files below ``roots`` (a root may be a
    file).

    ``salt`` stands for inputs that are not files, such as the compiler's version. Raises
    ToolchainError if a root does not exist.
    """
    whole = hashlib.sha256(salt.encode())
    for root in roots:
        for path in _files(root):
            whole.update(f"\0{root.name}/{path.relative_to(root).as_posix()}\0{file_digest(path)}".encode())
    return whole.hexdigest()


def _files(root: Path) -> Iterator[Path]:
    if root.is_file():
        yield root
    elif not root.exists():
        raise ToolchainError(f"{root} does not exist")
    for directory, folders, names in os.walk(root):
        # In place: os.walk then neither enters the others nor changes its order between machines.
        folders[:] = sorted(folder for folder in folders if folder not in _NOT_INPUTS)
        for name in sorted(names):
            yield Path(directory, name)


def is_current(stamp: Path, inputs: str, folder: Path) -> bool:
    """Whether ``stamp`` records these inputs and every output that it lists is in ``folder`` as it
    was written.
    """
    outputs = recorded(stamp, inputs)
    return outputs is not None and all(
        (folder / name).is_file() and file_digest(folder / name) == digest for name, digest in outputs.items()
    )


def recorded(stamp: Path, inputs: str) -> dict[str, str] | None:
    """The outputs (file name to digest) that ``stamp`` lists for these inputs; None if absent,
    other or broken.
    """
    try:
        content = json.loads(stamp.read_text())
    except (FileNotFoundError, ValueError):
        return None
    match content:
        case {"inputs": seen, "outputs": dict(outputs)} if seen == inputs:
            return outputs
    return None


def record(stamp: Path, inputs: str, outputs: Mapping[str, str]) -> None:
    stamp.parent.mkdir(parents=True, exist_ok=True)
    stamp.write_text(json.dumps({"inputs": inputs, "outputs": dict(outputs)}, indent=1) + "\n")
