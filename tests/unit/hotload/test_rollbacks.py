"""The record of a rollback applies to its guest, its folder and its file, and to nothing else."""

from __future__ import annotations

import asyncio
import hashlib
import stat
from pathlib import Path

import pytest

from sentinel_host.errors import GuestLoadError
from sentinel_host.hotload.guest_version import GuestVersion
from sentinel_host.hotload.rollbacks import RollbackRecord, RollbackRecords
from sentinel_host.sandbox import CompiledGuest

GOOD, BAD = b"good", b"bad"


def version(data: bytes, name: str = "g") -> GuestVersion:
    compiled = CompiledGuest(hashlib.sha256(data).hexdigest(), len(data), False, None, None, b"", b"code")
    return GuestVersion(name, f"{name}.wasm", compiled, data=data)


async def load(record: RollbackRecord) -> GuestVersion:
    return version(record.data, record.name)


def records(directory: Path | None, folder: str = "guests") -> RollbackRecords:
    return RollbackRecords(directory, Path(folder), load)


def keep(directory: Path | None) -> None:
    asyncio.run(records(directory).keep(version(BAD), version(GOOD), "it fails"))


def restore(directory: Path | None, data: bytes, *, name: str = "g", folder: str = "guests") -> GuestVersion | None:
    return asyncio.run(records(directory, folder).restore(version(data, name)))


def test_the_version_before_is_found_by_the_file_that_was_rolled_back(tmp_path: Path) -> None:
    keep(tmp_path)
    assert restore(tmp_path, BAD) == restore(tmp_path, BAD) == version(GOOD)
    (record,) = tmp_path.iterdir()
    assert stat.S_IMODE(record.stat().st_mode) == 0o600


def test_another_file_ends_it(tmp_path: Path) -> None:
    keep(tmp_path)
    assert restore(tmp_path, b"another") is None
    assert list(tmp_path.iterdir()) == []
    assert restore(tmp_path, BAD) is None


def test_other_guests_and_other_folders_are_no_part_of_it(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    keep(tmp_path)
    assert restore(tmp_path, BAD, name="other") is None
    assert restore(tmp_path, BAD, folder="elsewhere") is None
    assert restore(tmp_path, BAD, folder="guests/../guests") == version(GOOD)
    # Not even if somebody gives their names to it.
    (record,) = tmp_path.iterdir()
    keep_of_other = records(tmp_path).keep(version(BAD, "other"), version(GOOD, "other"), "it fails")
    asyncio.run(keep_of_other)
    (other,) = set(tmp_path.iterdir()) - {record}
    other.replace(record)
    assert restore(tmp_path, BAD) is None
    assert "is another guest's" in caplog.text


def test_every_changed_byte_is_noticed(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    keep(tmp_path)
    (record,) = tmp_path.iterdir()
    data = record.read_bytes()
    for at in range(len(data)):
        damaged = bytearray(data)
        damaged[at] ^= 1
        record.write_bytes(damaged)
        assert restore(tmp_path, BAD) is None
    assert caplog.text.count("is corrupted") == len(data)


def test_a_version_before_that_cannot_be_had_is_none(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    async def refuse(record: RollbackRecord) -> GuestVersion:
        raise GuestLoadError(f"{record.name}: not today")

    keep(tmp_path)
    assert asyncio.run(RollbackRecords(tmp_path, Path("guests"), refuse).restore(version(BAD))) is None
    assert "is tried again: the version before cannot be loaded: g: not today" in caplog.text
    # What is not to be had today may be tomorrow.
    assert restore(tmp_path, BAD) == version(GOOD)


def test_what_cannot_be_kept_is_said(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    keep(None)
    assert "there is no cache" in caplog.text
    assert restore(None, BAD) is None
    asyncio.run(records(None).drop("g"))
    keep(tmp_path / "missing")
    assert "No such file or directory" in caplog.text
    asyncio.run(records(tmp_path / "missing").drop("g"))
