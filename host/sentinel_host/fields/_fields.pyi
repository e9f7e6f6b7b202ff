from collections.abc import Iterable

def add_lines(start: bytes, fields: Iterable[tuple[bytes, bytes]], end: bytes, /) -> bytes:
    """``start``, a line for each field with CR LF *before* it, and ``end`` (RFC 9112 section 5).

    Raises `ValueError` that shows the name, for a name that is no token or a value with a control character but tab
    (RFC 9110 sections 5.1 and 5.5); ``start`` and ``end`` are the caller's affair.
    """

def start_request(method: bytes, target: bytes, host: bytes, /) -> bytes:
    """A request line in origin-form and its ``host`` field, not ended: fields are to be added.

    Raises `ValueError` for a method that is no token, a target with white space or a control character, and a host with
    a control character.
    """

def read_head(data: bytes, most_bytes: int, most_fields: int, /) -> tuple[int, bytes, bool] | None:
    """Whether ``data`` begins with a whole request head of at most so many bytes and fields, ended by CR LF CR LF.

    If so: its length in bytes, its method, and whether it is HTTP/1.1 and not 1.0. What a head may be made of is rule 2
    of ``http/h1/head.py``.
    """

def field(name: bytes, value: bytes, /) -> tuple[bytes, bytes]:
    """The field with its name in lower case, and its value without the blanks around it (RFC 9110
    section 5.5).
    """

def first_fault(fields: Iterable[tuple[bytes, bytes]], /) -> int:
    """The index of the first field whose value holds a control character but tab, or -1."""

def pack_record(*values: str | int | bytes | list[tuple[bytes, bytes]] | tuple[bytes] | None) -> bytes:
    """A record of ``wit/ABI.md`` section 3 with these values, of which a list stands for ``list<header>``,
    and a tuple for what its byte string says in MessagePack.

    Numbers are not negative; names of headers are taken to be ASCII. Raises `OverflowError` for what is larger than
    MessagePack allows, 4 GiB.
    """
