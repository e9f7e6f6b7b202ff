def read_request(data: bytes, /) -> tuple[int, str, bytes, list[tuple[bytes, bytes]], int, bool] | None:
    """The plain request head that ``data`` begins with; None if it is not plain, or not whole.

    A head is plain if it has one reading only, and none of the rarer fields and values; the rules are in
    ``host/native/heads/src/plain.h``. Its parts: its size in bytes with the empty line, the method, the target, its
    fields with names in lower case and values without blanks around them, the body's length (-1 for chunked), and
    whether the connection closes after the answer. There is one Host; there is no Upgrade and no Expect.
    """

def read_response(data: bytes, /) -> tuple[int, int, list[tuple[bytes, bytes]], int, bool, bool, bool] | None:
    """The plain response head that ``data`` begins with; None if it is not plain, or not whole.

    Its parts: its size in bytes with the empty line, the status (200 to 599), its fields as above, without those of
    `grammar.HOP_BY_HOP`, Content-Length (-1 without), whether the body is chunked, whether the connection is kept, and
    whether no field is called X-Request-Id.
    """
