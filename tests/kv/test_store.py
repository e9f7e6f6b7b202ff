"""The store as processes make and find it."""

from __future__ import annotations

import os

import pytest

from sentinel_host.errors import GuestLoadError, SentinelError
from sentinel_host.kv import SharedStore
from sentinel_host.kv._store import lib
from sentinel_host.limiter import SharedTable


def test_spaces_are_found_by_name_in_every_process() -> None:
    store = SharedStore.create(65536)
    other = SharedStore.attach(os.dup(store.fd))
    assert [store.space("a"), other.space("b"), store.space("b"), other.space("a")] == [0, 1, 1, 0]
    assert (store.capacity, store.used(0), store.recoveries) == (65536, 0, 0)
    other.close()
    store.close()


def test_guests_too_many_are_refused() -> None:
    store = SharedStore.create(65536)
    for number in range(lib.SNT_KV_SPACES):
        assert store.space(f"guest-{number}") == number
    with pytest.raises(GuestLoadError, match="guest more: kv: 256 guests have keys already"):
        store.space("more")
    with pytest.raises(GuestLoadError, match="kv: its name is too long"):
        store.space("n" * 65)
    store.close()


def test_what_is_no_store_is_refused() -> None:
    table = SharedTable.create(64)
    with pytest.raises(SentinelError, match="not a store of this version"):
        SharedStore.attach(os.dup(table.fd))
    table.close()


@pytest.mark.parametrize("size", [0, -1, 1 << 50])
def test_sizes_that_cannot_be(size: int) -> None:
    with pytest.raises(ValueError, match="a store cannot have"):
        SharedStore.create(size)
