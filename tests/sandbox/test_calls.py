"""The way into a guest's hook that takes addresses: what it may be given, and what of it stays a
Python error.
"""

from __future__ import annotations

import pytest

from sentinel_host.abi.contract import ON_REQUEST
from sentinel_host.native import _calls
from sentinel_host.sandbox.instance import SLOTS
from tests.support.instances import start_instance

from .conftest import Load


def test_a_closed_instance_is_not_called(load: Load) -> None:
    instance = start_instance(load("good/echo").blueprint, b"")
    slot = SLOTS[ON_REQUEST]
    assert instance.call(slot, b"\x01\x02") == b"\x01\x02"
    instance.close()
    with pytest.raises(ValueError, match="the instance is closed"):
        instance.call(slot, b"\x01\x02")


@pytest.mark.parametrize("place", [2, 3, 5], ids=["first", "second", "label"])
def test_lists_and_label_are_bytes(load: Load, place: int) -> None:
    arguments: list[object] = [1, 1, b"", b"", False, b""]
    arguments[place] = "text"
    with pytest.raises(TypeError, match="bytes, not <class 'str'>"):
        _calls.call(*arguments)  # type: ignore[arg-type]


def test_addresses_and_numbers_are_checked() -> None:
    for arguments in (("a", 1, b"", b"", False, b""), (1, -1, b"", b"", False, b""), (1, 1)):
        with pytest.raises((TypeError, OverflowError)):
            _calls.call(*arguments)  # type: ignore[call-arg, arg-type]
