"""Header fields, in C: the check of a request's head, and fields written for a socket or a guest.

The C is in ``host/native/fields``.
"""

from __future__ import annotations

from sentinel_host.fields._fields import add_lines, field, first_fault, pack_record, read_head, start_request

__all__ = ["add_lines", "field", "first_fault", "pack_record", "read_head", "start_request"]
