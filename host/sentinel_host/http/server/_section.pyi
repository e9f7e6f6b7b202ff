from collections.abc import Iterable

def ordinary_request(
    fields: Iterable[tuple[bytes, bytes]], most: int, /
) -> tuple[bytes, bytes, bool, list[tuple[bytes, bytes]], int] | None:
    """The method, the path, whether the scheme is ``https``, the headers, and the Content-Length or -1.

    None for what is not ordinary: malformed, with more than ``most`` headers, or with fields of which there are more
    rules than here: Host beside ``:authority``, a cookie in crumbs, Expect. The method may be one that is not served.
    """

def ordinary_response(
    fields: list[tuple[bytes, bytes]], most: int, /
) -> tuple[int, list[tuple[bytes, bytes]], int] | None:
    """The status, the headers, and the Content-Length or -1. None for what is not ordinary, as above."""

def are_ordinary_trailers(fields: Iterable[tuple[bytes, bytes]], /) -> bool:
    """Whether these are trailers of which there are no more rules than here."""

def pseudo_headers(method: bytes, scheme: bytes, authority: bytes, path: bytes, /) -> list[tuple[bytes, bytes]] | None:
    """The first fields of a request. None if one is malformed, or the path does not begin with a slash."""
