"""The one canonical form of a path: what routes are chosen by, what guests authorise and what
upstreams get.

Rule 1: a path has exactly one form inside Sentinel. Escapes of unreserved characters are resolved
        and hex digits are in upper case (RFC 3986 sections 6.2.2.1 and 6.2.2.2), so that
        ``/%61dmin`` and ``/admin`` are one path everywhere.
Rule 2: what two readers could take for different paths is refused, never mended: dot segments in
        any spelling, an escaped slash or backslash, an empty segment, a control character, an
        invalid escape.
Rule 3: nothing is decoded a second time. ``%2525`` stays as it is.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from sentinel_host.fields import is_plain_path

# Printable ASCII that neither separates nor needs escaping anywhere. Wider than RFC 3986's pchar by
# "[]^{|}", which browsers and curl send as they are; without the characters that some reader turns
# into a slash or ends a target at.
_PLAIN: Final = r"!$&'()*+,\-.0-9:;=@A-Z\[\]\^_a-z{|}~"
# Most paths are; a pattern takes four times as long.
_is_plain: Final = is_plain_path
_CHARACTERS: Final = re.compile(rf"/(?:[{_PLAIN}/]|%[0-9A-Fa-f]{{2}})*", re.ASCII).fullmatch
_ESCAPE: Final = re.compile(r"%([0-9A-Fa-f]{2})")
_DOT_SEGMENT: Final = re.compile(r"/\.\.?(?:/|$)").search
_QUERY: Final = re.compile(r"[!\"$-~]*", re.ASCII).fullmatch
_UNRESERVED: Final = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~")


class PathError(ValueError):
    """The path has no canonical form; the text says why."""


@dataclass(frozen=True, slots=True)
class PathRule:
    """What an operator may allow beyond the rules: each is refused unless its setting says
    ``keep``.

    ``keep`` passes it on as it stands: an escaped slash stays an escape and never separates
    segments.
    """

    keep_encoded_slash: bool = False
    keep_empty_segments: bool = False

    def canonical(self, path: str) -> str:
        """The canonical form of a path as it came in a request's target, without the query.

        Raises `PathError`.
        """
        if _is_plain(path):
            return path
        if not _CHARACTERS(path):
            if not path.startswith("/"):
                raise PathError("path does not begin with a slash")
            raise PathError("path holds a character or an escape that is not allowed")
        if "%" in path:
            path = _ESCAPE.sub(self._resolve, path)
        if _DOT_SEGMENT(path):
            raise PathError("path holds a dot segment")
        if "//" in path and not self.keep_empty_segments:
            raise PathError("path holds an empty segment (//)")
        return path

    def is_canonical(self, path: str) -> bool:
        """Whether the path is in canonical form already, as a path that a guest returns must be."""
        try:
            return self.canonical(path) == path
        except PathError:
            return False

    def _resolve(self, escape: re.Match[str]) -> str:
        code = int(escape[1], 16)
        if code < 0x20 or code == 0x7F:
            raise PathError("path holds an escaped control character")
        character = chr(code)
        if character in _UNRESERVED:
            return character
        if character in "/\\" and not self.keep_encoded_slash:
            raise PathError("path holds an escaped slash or backslash")
        return f"%{code:02X}"


STRICT: Final = PathRule()


def is_query(query: str) -> bool:
    """Whether this may stand as a query: printable ASCII without ``#`` (RFC 3986 section 3.4 and
    what browsers add).
    """
    return _QUERY(query) is not None
