"""Compiles and runs the C SDK's tests natively under sanitizers, with every warning an error; needs
gcc or clang.

``python sdk/c/tests/run.py`` is part of `nox -s sdk`. The guest of tests/conformance is linked in,
and held to the vectors that all SDKs share.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgpack

HERE = Path(__file__).resolve().parent
SDK = HERE.parent
REPOSITORY = SDK.parents[1]
GUEST = REPOSITORY / "tests" / "conformance" / "c" / "conformance" / "src" / "guest.c"
VECTORS = REPOSITORY / "tests" / "vectors" / "vectors.json"
SOURCES = [*sorted(path for path in (SDK / "src").glob("*.c") if path.stem != "wasm"), SDK / "native" / "stand_ins.c"]
FLAGS = (
    "-std=gnu11", "-g", "-O1", "-Wall", "-Wextra", "-Werror", f"-I{SDK / 'include'}", "-DSENTINEL_TEST_MALLOC",
    "-fsanitize=address,undefined", "-fno-sanitize-recover=all",
)  # fmt: skip


def main() -> int:
    """Returns 1 when a test fails or does not compile."""
    with tempfile.TemporaryDirectory() as scratch:
        vectors = Path(scratch, "vectors.msgpack")
        vectors.write_bytes(packed_vectors(json.loads(VECTORS.read_text())))
        programs: dict[str, tuple[list[Path], list[str]]] = {
            "units": ([HERE / "units.c"], []),
            "vectors": ([HERE / "vectors.c", GUEST], [str(vectors)]),
        }
        return 0 if all(passes(Path(scratch, name), *program) for name, program in programs.items()) else 1


def passes(program: Path, sources: list[Path], arguments: list[str]) -> bool:
    compiler = os.environ.get("CC", "gcc")
    compiled = subprocess.run((compiler, *FLAGS, "-o", program, *sources, *SOURCES), check=False)
    # The stand-ins never free: what they hold ends with the process.
    options = os.environ | {"ASAN_OPTIONS": "detect_leaks=0"}
    return (
        compiled.returncode == 0
        and subprocess.run((program, *arguments), env=options, timeout=300, check=False).returncode == 0
    )


def packed_vectors(vectors: dict[str, Any]) -> bytes:
    """MessagePack that vectors.c reads: a list of the vectors' fields, and one of hostile
    answers.
    """
    sample = {record["hook"]: record["bytes"] for record in reversed(vectors["records"])}
    fields = list(_vectors(vectors, sample))
    hostile = [
        (bytes.fromhex(vector["bytes"]), is_whole(bytes.fromhex(vector["bytes"]))) for vector in vectors["hostile"]
    ]
    out = _array(len(fields)) + b"".join(b"".join(map(pack, vector)) for vector in fields)
    return out + _array(len(hostile)) + b"".join(pack(data) + pack(whole) for data, whole in hostile)


def _vectors(vectors: dict[str, Any], sample: dict[str, str]) -> Iterator[tuple[Any, ...]]:
    for vector in vectors["answers"]:
        record = bytes.fromhex(sample.get(vector["hook"], "6368756e6b"))
        config = pack({"hook": vector["hook"], "ops": vector["ops"]})
        yield vector["name"], vector["hook"], config, record, b"", bytes.fromhex(vector["bytes"]), False
    for vector in vectors["records"]:
        config = pack({"hook": vector["hook"], "ops": [["dump"]]})
        context = bytes.fromhex(vector["context"] or "")
        is_body = vector["hook"] != "on-complete"
        dump = vector["dump"].encode()
        # A line of the stand-in's log holds no more.
        expected = dump if is_body else dump[:256]
        yield vector["name"], vector["hook"], config, bytes.fromhex(vector["bytes"]), context, expected, is_body


def is_whole(data: bytes) -> bool:
    """Whether it is one MessagePack value and nothing else, by the library that the gateway does
    not use.
    """
    try:
        msgpack.unpackb(data, raw=True, strict_map_key=False)
    except msgpack.exceptions.StackError:
        # That library gives up on nesting; the reader here has no stack for it.
        return True
    except (ValueError, msgpack.exceptions.UnpackException):
        return False
    return True


def pack(value: Any) -> bytes:
    return bytes(msgpack.packb(value))


def _array(count: int) -> bytes:
    return b"\xdd" + count.to_bytes(4, "big")


if __name__ == "__main__":
    sys.exit(main())
