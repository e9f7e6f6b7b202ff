from collections.abc import Iterable

def ordinary_request(
    fields: Iterable[tuple[bytes, bytes]], most: int, /
) -> tuple[bytes, bytes, bool, list[tuple[bytes, bytes]], int] | None:
    """The method, the path, whether the scheme is ``https``, the headers, and the Content-Length or -1.

    None for what is not ordinary: malformed, with more than ``most`` headers, or with fields of which there are more
    rules than here: Host beside ``:authority``, a cookie in crumbs, Expect. The method may be one that is not served.
    """
