"""Header fields on their way from a client, and to a socket or a guest: checked and written whole, in C.

The C is in ``host/native/fields``.
"""

from __future__ import annotations

from sentinel_host.fields._fields import add_lines, first_fault, pack_record, read_head, start_request

__all__ = ["add_lines", "first_fault", "pack_record", "read_head", "start_request"]
