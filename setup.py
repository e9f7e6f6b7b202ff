"""The part of the packaging that pyproject.toml cannot say: the native module is compiled by cffi."""

from __future__ import annotations

from setuptools import setup

setup(cffi_modules=["host/native/build_ffi.py:ffibuilder"])
