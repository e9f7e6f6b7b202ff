"""Header compression (RFC 7541): the receiving side, and our blocks on the sending side.

Rule 1: The dynamic table always stays in step with the peer's: a block is decoded to its end even
        if its fields are too many to keep, or the connection ends.
Rule 2: Decompression is bounded: far beyond the limit the connection ends.
Rule 3: What we send are literals without indexing, with names from the static table. So there is no
        state per connection that a peer could size or probe. nginx does the same.

The C is in ``host/native/hpack``.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from hpack.table import HeaderTable

from sentinel_host.http.field_section import FIELD_COST, SAVED_BY_CRUMB, Fields
from sentinel_host.http.h2._hpack import Decoder, encode_section, message_frames
from sentinel_host.http.h2.wire import ConnectionFault, ErrorCode

__all__ = ["HpackDecoder", "encode_section", "message_frames"]

_STATIC: Final = tuple([(bytes(name), bytes(value)) for name, value in HeaderTable.STATIC_TABLE])


class HpackDecoder:
    """The state of one direction of one connection; ``max_bytes`` bounds a field section."""

    __slots__ = ("_decode",)

    def __init__(self, max_bytes: int) -> None:
        # Compiled, a method of C is looked up by its name each time.
        self._decode: Callable[[bytes], tuple[Fields, bool]] = Decoder(
            _STATIC, max_bytes, FIELD_COST, SAVED_BY_CRUMB
        ).decode

    def decode(self, block: bytes) -> tuple[Fields, bool]:
        """The fields of a block, and whether all are there: of a list beyond the limit only the
        first are kept.

        Raises `ConnectionFault`.
        """
        try:
            return self._decode(block)
        except ValueError as fault:
            raise ConnectionFault(ErrorCode.COMPRESSION_ERROR, str(fault)) from None
        except OverflowError as fault:
            raise ConnectionFault(ErrorCode.ENHANCE_YOUR_CALM, str(fault)) from None
