"""The part of the packaging that pyproject.toml cannot say: the native modules are compiled by cffi."""

from __future__ import annotations

from setuptools import setup

setup(
    cffi_modules=[
        "host/native/build_ffi.py:ffibuilder",
        "host/native/kv/build_ffi.py:ffibuilder",
        "host/native/limiter/build_ffi.py:ffibuilder",
    ]
)
