"""Header fields: reading them, and changing them by edits that the gateway applies in order."""

from __future__ import annotations

from collections.abc import Iterator

from sentinel_sdk import _msgpack
from sentinel_sdk._text import encoded

Field = tuple[str, bytes]

_SET, _APPEND, _REMOVE = b"\x92\x00\x92", b"\x92\x01\x92", b"\x92\x02"
_Packed, _text, _binary = _msgpack.Packed, _msgpack.text, _msgpack.binary


class HeaderEdits:
    """Changes to the header fields of a message, in order. Names may be of any case."""

    __slots__ = ("edits",)

    def __init__(self) -> None:
        self.edits: list[_msgpack.Packed] = []

    def set(self, name: str, value: str | bytes) -> None:
        """Remove every field of that name, then add this one."""
        self.edits.append(_Packed(_SET + _text(name.lower()) + _binary(encoded(value))))

    def append(self, name: str, value: str | bytes) -> None:
        """Add this field after those of the same name."""
        self.edits.append(_Packed(_APPEND + _text(name.lower()) + _binary(encoded(value))))

    def remove(self, name: str) -> None:
        """Remove every field of that name."""
        self.edits.append(_Packed(_REMOVE + _text(name.lower())))


class Headers(HeaderEdits):
    """The header fields of a message as they arrived; changes do not show in what is read.

    They are decoded when they are first asked for.
    """

    __slots__ = ("_at", "_data", "_end", "_fields")

    def __init__(self, data: bytes, at: int) -> None:
        self.edits = []
        self._data = data
        self._at = at
        self._end = 0
        self._fields: list[Field] | None = None

    @property
    def fields(self) -> list[Field]:
        """The fields in the order of arrival, names in lower case."""
        if self._fields is None:
            self._fields, self._end = _msgpack.pairs(self._data, self._at)
        return self._fields

    @property
    def end(self) -> int:
        """Where the fields end in the record."""
        return self._end if self.fields is not None else 0

    def get(self, name: str) -> str | None:
        """The first value of that name, as text; bytes that are not UTF-8 become U+FFFD."""
        value = self.get_bytes(name)
        return None if value is None else value.decode(errors="replace")

    def get_bytes(self, name: str) -> bytes | None:
        """The first value of that name."""
        name = name.lower()
        for field, value in self.fields:
            if field == name:
                return value
        return None

    def get_all(self, name: str) -> list[str]:
        """Every value of that name, as text."""
        name = name.lower()
        return [value.decode(errors="replace") for field, value in self.fields if field == name]

    def count(self, name: str) -> int:
        """How many fields have that name."""
        name = name.lower()
        return sum(field == name for field, _ in self.fields)

    def __contains__(self, name: str) -> bool:
        return self.get_bytes(name) is not None

    def __iter__(self) -> Iterator[Field]:
        return iter(self.fields)

    def __len__(self) -> int:
        return len(self.fields)
