from collections.abc import Callable

from sentinel_host.messages import Summary

class Lines:
    """Gathers lines of an access log as bytes.

    A line is made of ``pieces``, each with the bytes in front of its value, the value's kind, where
    it is from, and the names of its numbers, and of ``end``. A value is from the attribute of a
    summary, or from beside it: 0 is the trace's id, 1 and 2 are the fields. `observe.access_format`
    has the kinds. ``escape`` is called for texts that are not printable ASCII, but for JSON.

    Raises `ValueError` or `TypeError` for a piece that it does not know.
    """

    def __new__(
        cls,
        pieces: tuple[tuple[bytes, str, str | int, tuple[bytes, ...]], ...],
        end: bytes,
        escape: Callable[[str], str],
        /,
    ) -> Lines: ...
    def add(self, summary: Summary, trace_id: str, user_agent: str, referer: str, /) -> int:
        """Add a request's line. Returns how many bytes there are.

        Raises `ValueError` for a number without a name, and leaves the line out.
        """

    def take(self) -> bytes:
        """All lines since the last call."""
