"""Header fields on their way to a socket or a guest: checked and written whole, in C (``host/native/fields``)."""

from __future__ import annotations

from sentinel_host.fields._fields import add_lines, first_fault, pack_record, start_request

__all__ = ["add_lines", "first_fault", "pack_record", "start_request"]
