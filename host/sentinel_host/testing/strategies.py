"""Requests for Hypothesis: any that a gateway lets through to guests, and shrunk to what matters
when one fails.
"""

from __future__ import annotations

import string
from dataclasses import dataclass

from hypothesis import strategies as st

_TOKEN = string.ascii_letters + string.digits + "!#$%&'*+-.^_`|~"
_UNRESERVED = string.ascii_letters + string.digits + "-._~"
# RFC 9110 section 5.5: visible characters and bytes beyond ASCII, with spaces and tabs only between
# them.
_VALUE_BYTES = bytes([9, *range(32, 127), *range(128, 256)])


@dataclass(frozen=True, slots=True)
class GeneratedRequest:
    """For `TestedGuest.request` and `TestedChain.request`:
    ``guest.request(*request.arguments)``.
    """

    method: str
    target: str
    headers: tuple[tuple[str, bytes], ...]
    body: bytes

    @property
    def arguments(self) -> tuple[str, str, tuple[tuple[str, bytes], ...], bytes]:
        """The positional arguments."""
        return self.method, self.target, self.headers, self.body


def methods() -> st.SearchStrategy[str]:
    """Those that there are, and others."""
    known = st.sampled_from(["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"])
    return known | st.text(_TOKEN, min_size=1, max_size=20)


def header_names() -> st.SearchStrategy[str]:
    """In lower case, as guests see them."""
    known = st.sampled_from(["accept", "authorization", "content-type", "cookie", "user-agent", "x-forwarded-for"])
    return known | st.text(_TOKEN.lower(), min_size=1, max_size=40).map(str.lower)


def header_values() -> st.SearchStrategy[bytes]:
    """Bytes that a field may hold, which need not be UTF-8."""
    byte = st.sampled_from(list(_VALUE_BYTES))
    return st.lists(byte, max_size=60).map(lambda found: bytes(found).strip(b" \t"))


def headers() -> st.SearchStrategy[tuple[tuple[str, bytes], ...]]:
    """Some fields, of which names may come twice."""
    return st.lists(st.tuples(header_names(), header_values()), max_size=12).map(tuple)


def targets() -> st.SearchStrategy[str]:
    """A canonical path, with a query or without."""
    segment = st.text(_UNRESERVED, min_size=1, max_size=12).filter(lambda text: text not in (".", ".."))
    path = st.lists(segment | st.just("%2F") | st.just("%C3%A9"), max_size=6).map(lambda parts: "/" + "/".join(parts))
    query = st.none() | st.text(_UNRESERVED + "&=%+;/?", max_size=40)
    return st.tuples(path, query).map(lambda both: both[0] if both[1] is None else f"{both[0]}?{both[1]}")


def requests(bodies: st.SearchStrategy[bytes] | None = None) -> st.SearchStrategy[GeneratedRequest]:
    """Whole requests; ``bodies`` are any bytes by default."""
    content = st.binary(max_size=200) if bodies is None else bodies
    return st.builds(GeneratedRequest, methods(), targets(), headers(), content)
