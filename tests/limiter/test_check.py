"""`Check` on a function of the test's own, which finds what the test says."""

from __future__ import annotations

import ctypes
from collections.abc import Callable

import pytest

from sentinel_host.limiter import POLICY, STATE, Limit, limit_headers, seconds_of
from sentinel_host.limiter._check import Check

LIMIT = Limit(100, 60, name='a "quoted" one')
BEGUN = (STATE, LIMIT.quoted_name)
REFUSED = -(1 << 63)
OVERFLOW = 1 << 56
FUNCTION = ctypes.CFUNCTYPE(ctypes.c_int64, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_size_t)


@pytest.fixture
def find() -> Callable[[int], Check]:
    """A `Check` that finds this verdict."""
    kept = []

    def make(verdict: int) -> Check:
        function = FUNCTION(lambda *arguments: verdict)
        kept.append(function)
        address = ctypes.cast(function, ctypes.c_void_p).value
        assert address is not None
        return Check(address, 1)

    return make


@pytest.mark.parametrize("flags", [0, OVERFLOW])
@pytest.mark.parametrize("remaining", [0, 9, 10, 99, 100, 12_345, 999_999, 1_000_000, 0xFFFFFF])
@pytest.mark.parametrize("reset", [0, 1, 1000, 1001, 59_999, 3_600_000, 2_678_400_000])
def test_what_is_allowed_is_told_as_by_limit_headers(
    find: Callable[[int], Check], flags: int, remaining: int, reset: int
) -> None:
    verdict = flags | remaining << 32 | reset
    assert find(verdict)(LIMIT.native_bytes, b"key") == verdict
    policy, state = limit_headers([(LIMIT, verdict)])
    assert find(verdict)(LIMIT.native_bytes, b"key", BEGUN) == state
    assert policy == (POLICY, LIMIT.policy)


@pytest.mark.parametrize("flags", [0, OVERFLOW])
@pytest.mark.parametrize("reset", [0, 1, 1000, 1001, 2_678_400_001, 0xFFFFFFFF])
def test_what_is_refused_is_told_in_seconds(find: Callable[[int], Check], flags: int, reset: int) -> None:
    verdict = REFUSED + (flags | reset)
    assert find(verdict)(LIMIT.native_bytes, b"key") == verdict
    assert find(verdict)(LIMIT.native_bytes, b"key", BEGUN) == seconds_of(verdict)


@pytest.mark.parametrize(
    "arguments",
    [
        (),
        (LIMIT.native_bytes,),
        (LIMIT.native_bytes[:-1], b"key"),
        (LIMIT.native_bytes, "key"),
        (LIMIT.native_bytes, b"key", None),
        (LIMIT.native_bytes, b"key", [STATE, b""]),
        (LIMIT.native_bytes, b"key", (STATE,)),
        (LIMIT.native_bytes, b"key", (STATE, "name")),
        (LIMIT.native_bytes, b"key", BEGUN, b""),
    ],
)
def test_other_arguments_are_a_type_error(find: Callable[[int], Check], arguments: tuple[object, ...]) -> None:
    check: Callable[..., object] = find(0)
    with pytest.raises(TypeError, match="snt_limit"):
        check(*arguments)
