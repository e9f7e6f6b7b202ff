"""The native call path: guests driven through wasmtime's C API, by C that cffi compiled.

Importing it checks that the C and the installed ``wasmtime`` agree; a mismatch is a `SentinelError` that names both.
"""

from __future__ import annotations

from sentinel_host.native.guest import CallFailed, NativeGuest, Returns, Shape
from sentinel_host.native.log import LogBuffer, LogLine

__all__ = ["CallFailed", "LogBuffer", "LogLine", "NativeGuest", "Returns", "Shape"]
