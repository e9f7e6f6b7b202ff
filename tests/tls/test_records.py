"""Where records begin and end, however their bytes are cut."""

from __future__ import annotations

import pytest

from sentinel_host.http.tls.records import RecordBoundaries


def record(size: int) -> bytes:
    return b"\x17\x03\x03" + size.to_bytes(2, "big") + bytes(size)


STREAM = record(0) + record(1) + record(300) + record(16640) + record(3)
ENDS = {5, 11, 316, 316 + 16645, len(STREAM)}


@pytest.mark.parametrize("step", [1, 2, 3, 4, 5, 6, 7, 299, 305, 16384, len(STREAM)])
def test_it_knows_whether_a_record_has_begun(step: int) -> None:
    boundaries = RecordBoundaries()
    assert not boundaries.inside
    for at in range(0, len(STREAM), step):
        boundaries.follow(memoryview(STREAM[at : at + step]))
        assert boundaries.inside == (min(at + step, len(STREAM)) not in ENDS)


def test_nothing_changes_nothing() -> None:
    boundaries = RecordBoundaries()
    for data in (b"", STREAM[:2], b"", STREAM[2:8], b""):
        before = boundaries.inside
        boundaries.follow(memoryview(data))
        assert boundaries.inside == (before if not data else True)
