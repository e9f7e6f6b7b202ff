"""What is kept of a version that was taken back counts for its guest, its folder and its file, and for nothing else."""

from __future__ import annotations

import asyncio
import hashlib
import stat
from pathlib import Path

import pytest

from sentinel_host.errors import GuestLoadError
from sentinel_host.hotload.held import Held
from sentinel_host.hotload.loader import Offer
from sentinel_host.sandbox import CompiledGuest

GOOD, BAD = b"good", b"bad"


def offer(data: bytes, name: str = "g") -> Offer:
    compiled = CompiledGuest(hashlib.sha256(data).hexdigest(), len(data), False, None, None, b"", b"code")
    return Offer(name, f"{name}.wasm", compiled, data=data)


async def restore(name: str, data: bytes) -> Offer:
    return offer(data, name)


def held(directory: Path | None, folder: str = "guests") -> Held:
    return Held(directory, Path(folder), restore)


def keep(directory: Path | None) -> None:
    asyncio.run(held(directory).keep(offer(BAD), offer(GOOD), "it fails"))


def recall(directory: Path | None, data: bytes, *, name: str = "g", folder: str = "guests") -> Offer | None:
    return asyncio.run(held(directory, folder).recall(offer(data, name)))


def test_the_version_before_is_found_by_the_file_that_was_taken_back(tmp_path: Path) -> None:
    keep(tmp_path)
    assert recall(tmp_path, BAD) == recall(tmp_path, BAD) == offer(GOOD)
    (record,) = tmp_path.iterdir()
    assert stat.S_IMODE(record.stat().st_mode) == 0o600


def test_another_file_ends_it(tmp_path: Path) -> None:
    keep(tmp_path)
    assert recall(tmp_path, b"another") is None
    assert list(tmp_path.iterdir()) == []
    assert recall(tmp_path, BAD) is None


def test_other_guests_and_other_folders_are_no_part_of_it(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    keep(tmp_path)
    assert recall(tmp_path, BAD, name="other") is None
    assert recall(tmp_path, BAD, folder="elsewhere") is None
    assert recall(tmp_path, BAD, folder="guests/../guests") == offer(GOOD)
    # Not even if somebody gives their names to it.
    (record,) = tmp_path.iterdir()
    keep_of_other = held(tmp_path).keep(offer(BAD, "other"), offer(GOOD, "other"), "it fails")
    asyncio.run(keep_of_other)
    (other,) = set(tmp_path.iterdir()) - {record}
    other.replace(record)
    assert recall(tmp_path, BAD) is None
    assert "is another guest's" in caplog.text


def test_every_changed_byte_is_noticed(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    keep(tmp_path)
    (record,) = tmp_path.iterdir()
    data = record.read_bytes()
    for at in range(len(data)):
        damaged = bytearray(data)
        damaged[at] ^= 1
        record.write_bytes(damaged)
        assert recall(tmp_path, BAD) is None
    assert caplog.text.count("is corrupted") == len(data)


def test_a_version_before_that_cannot_be_had_is_none(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    async def refuse(name: str, data: bytes) -> Offer:
        raise GuestLoadError(f"{name}: not today")

    keep(tmp_path)
    assert asyncio.run(Held(tmp_path, Path("guests"), refuse).recall(offer(BAD))) is None
    assert "is tried again: there is no version before: g: not today" in caplog.text
    # What is not to be had today may be tomorrow.
    assert recall(tmp_path, BAD) == offer(GOOD)


def test_what_cannot_be_kept_is_said(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    keep(None)
    assert "is tried again after a restart: there is no cache" in caplog.text
    assert recall(None, BAD) is None
    asyncio.run(held(None).drop("g"))
    keep(tmp_path / "missing")
    assert "No such file or directory" in caplog.text
    asyncio.run(held(tmp_path / "missing").drop("g"))
