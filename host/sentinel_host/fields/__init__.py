"""Header fields, in C: the check of a request's head, what becomes of each field, and fields
written for a socket or a guest.

The C is in ``host/native/fields``.
"""

from __future__ import annotations

from sentinel_host.fields._fields import (
    FieldNames,
    add_lines,
    add_unsampled_parent,
    field,
    first_fault,
    is_plain_path,
    pack_record,
    read_head,
    write_request,
)

__all__ = [
    "FieldNames",
    "add_lines",
    "add_unsampled_parent",
    "field",
    "first_fault",
    "is_plain_path",
    "pack_record",
    "read_head",
    "write_request",
]
