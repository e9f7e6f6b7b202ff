from collections.abc import Iterable

def add_lines(start: bytes, fields: Iterable[tuple[bytes, bytes]], end: bytes, /) -> bytes:
    """``start``, a line for each field with CR LF *before* it, and ``end`` (RFC 9112 section 5).

    Raises `ValueError` that shows the name, for a name that is no token or a value with a control character but tab
    (RFC 9110 sections 5.1 and 5.5); ``start`` and ``end`` are the caller's affair.
    """

def add_unsampled_parent(fields: list[tuple[bytes, bytes]], name: bytes, trace_id: str, /) -> None:
    """Add a ``traceparent``, whose name is given, for an upstream of a request with which the trace of this id begins,
    and that is not sampled, unless there is such a field: a guest's own stands.

    The first span has the second half of the id. Raises `ValueError` for an id that has not 32 digits, and for what
    has no field's name. Values are checked when they are written.
    """

def write_request(
    method: bytes, target: bytes, host: bytes, fields: Iterable[tuple[bytes, bytes]], end: bytes, /
) -> bytes:
    """A request line in origin-form, its ``host`` field, and the rest as `add_lines` does.

    Raises `ValueError` as that does, and for a method that is no token, a target with white space or a control
    character, and a host with a control character.
    """

def is_plain_path(path: str, /) -> bool:
    """Whether a path is in canonical form (``paths.py``) already, as most are: without escapes, and without a segment
    that is empty or begins with a dot. False of others says nothing.
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

class FieldNames:
    """Names of fields with a number each, which says what becomes of a field; 0 stands for other names.

    ``numbers`` are from 1 to 255, names in lower case. Raises `ValueError` for others.
    """

    def __new__(cls, numbers: dict[bytes, int], /) -> FieldNames: ...
    def number_of(self, name: bytes, /) -> int:
        """The number of a name in any case. Raises `ValueError` for what is no byte string."""

    def has_any(self, fields: Iterable[tuple[bytes, bytes]], /) -> bool:
        """Whether a field, its name in lower case, is one of these."""

    def sort_request(
        self, fields: Iterable[tuple[bytes, bytes]], /
    ) -> tuple[list[tuple[bytes, bytes]], list[tuple[int, bytes, bytes]] | None, bytes | None]:
        """The fields that are passed on as they are, those that need more with their numbers, and the first Host.

        The numbers are those of `sentinel_host.http.rules.fields.Field`. Raises `ValueError` for a name that is no
        token in lower case, and for a value with a control character.
        """

    def pass_on(self, fields: Iterable[tuple[bytes, bytes]], /) -> list[tuple[bytes, bytes]] | None:
        """The fields, names in lower case, that have no number. None if a field of number 2, Connection, has a value
        other than ``close`` and ``keep-alive``, in any case.
        """

    def write_response(
        self, line: bytes, fields: Iterable[tuple[bytes, bytes]], has_length: bool, /
    ) -> tuple[bytes, int, bool, bool]:
        """``line``, a line for each field with CR LF *before* it; the Content-Length or -1; whether there is a Date;
        whether Connection says close.

        The numbers are 1 for Content-Length, which is written if the head ``has_length``, 2 for Date, 3 for
        Connection and 4 for others that are not written either; names are in any case. Raises `ValueError` as
        `add_lines` does, and for a Content-Length that is malformed or the second.
        """

    def list_response(
        self, fields: Iterable[tuple[bytes, bytes]], has_length: bool, /
    ) -> tuple[list[tuple[bytes, bytes]], int, bool]:
        """The same as a list with names in lower case, without what is said of Connection."""

    def frame_response(
        self, stream: int, status: int, fields: Iterable[tuple[bytes, bytes]], date: bytes, data: bytes, frame: int, /
    ) -> bytes | None:
        """HEADERS with the fields of `list_response`, and with that Date if there is none among them; then DATA that
        ends the stream. ``frame`` is the peer's frame size.

        None for every other response than an ordinary one: with a status that has no body, without a Content-Length
        that is the body's, with a name that is not in lower case, with what may not be written, or with a head beyond
        4 KiB.
        """
