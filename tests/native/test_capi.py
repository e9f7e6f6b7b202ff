"""The native module refuses to work with an engine that it was not made for."""

from __future__ import annotations

import ctypes

import pytest

from sentinel_host.errors import SentinelError
from sentinel_host.native import capi


@pytest.mark.parametrize("version", ["49.0.2", "51.0.0", "5.0.0", "500.1"])
def test_refuses_another_major_version(version: str) -> None:
    with pytest.raises(SentinelError, match=rf"wasmtime {version} is installed, this build needs 50\.x"):
        capi.check_version(version)


def test_takes_any_minor_version() -> None:
    capi.check_version("50.0.0")
    capi.check_version("50.7.3")


def test_refuses_another_layout() -> None:
    ours = {"wasmtime_func_t": 16, "wasmtime_memory_t": 24}
    capi.check_layout(ours, ours, "50.0.1")
    with pytest.raises(
        SentinelError, match=r"wasmtime 50\.9\.9 lays out wasmtime_memory_t in 32 bytes, .*50\.x, in 24"
    ):
        capi.check_layout(ours, {**ours, "wasmtime_memory_t": 32}, "50.9.9")


def test_refuses_a_library_without_a_function() -> None:
    with pytest.raises(SentinelError, match=r"has no function wasmtime_func_call_warp, this build needs 50\.x"):
        capi.address_of("wasmtime_func_call_warp")


def test_addresses_are_the_loaded_librarys() -> None:
    from wasmtime import _ffi

    function = _ffi.dll.wasmtime_func_call_unchecked
    assert capi.address_of("wasmtime_func_call_unchecked") == ctypes.cast(function, ctypes.c_void_p).value
