from collections.abc import Iterable

class Decoder:
    """The state of one direction of one connection; RFC 7541. ``limit`` bounds a section, of which each field costs
    ``field_cost`` bytes beside its own, and a cookie's second field ``saved_by_crumb`` less.
    """

    def __init__(
        self, static_table: tuple[tuple[bytes, bytes], ...], limit: int, field_cost: int, saved_by_crumb: int
    ) -> None: ...
    def decode(self, block: bytes, /) -> tuple[list[tuple[bytes, bytes]], bool]:
        """The fields of a block within the limit, and whether these are all.

        Raises `ValueError` that names the fault of the block, and `OverflowError` for a section far beyond the limit.
        """

def encode_section(status: int, fields: Iterable[tuple[bytes, bytes]], /) -> bytes:
    """A block of literals without indexing; ``status`` begins it when it is not 0."""

def message_frames(
    stream: int, status: int, fields: Iterable[tuple[bytes, bytes]], data: bytes | None, end: bool, frame: int, /
) -> bytes | None:
    """HEADERS with `encode_section`'s block, and DATA unless ``data`` is None; ``end`` is END_STREAM of the last.

    None if the block is larger than ``frame`` bytes.
    """
