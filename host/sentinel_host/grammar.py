"""The syntax of HTTP, for both sides, the configuration and guests' answers (RFC 9110, RFC 9112).

Each rule is here once. The text patterns are for names in the configuration and in guests' answers.
This module is below ``http`` because ``config``, ``abi`` and ``limiter`` check the same names.

Rule 1: an authority has one form here: an empty port, which means the same as none (RFC 3986
        section 6.2.3), goes.
Rule 2: a name is a reg-name (RFC 3986 section 3.2.2) as far as it has one reading. Refused are
        ``,`` and ``;``, which separate hosts in X-Forwarded-Host and parameters in Forwarded for a
        reader that splits before it unquotes; and escapes, with which a reader that decodes sees
        another host than the one by which a route was chosen.
Rule 3: user information is no part of it (RFC 9110 section 4.2.4), and no message repeats any: it
        may hold a password.
"""

from __future__ import annotations

import re
from typing import Final

# RFC 9110 section 5.6.2. Possessive: a peer chooses what it is tried on.
_TCHAR: Final = r"!#$%&'*+\-.^_`|~0-9a-z"

TOKEN: Final = rf"[{_TCHAR}A-Z]++".encode()
"""A pattern of a token, to be part of others."""

TOKEN_TEXT: Final = TOKEN.decode()

is_token: Final = re.compile(TOKEN).fullmatch
is_token_text: Final = re.compile(TOKEN_TEXT).fullmatch

is_field_name: Final = re.compile(rf"[{_TCHAR}]++".encode()).fullmatch
"""Whether this is a field name in lower case, the only form of names in here (RFC 9110 section
5.1).
"""

is_field_name_text: Final = re.compile(rf"[{_TCHAR}]++").fullmatch

FIELD_VALUE: Final = rb"[\t\x20-\x7e\x80-\xff]*+"
"""RFC 9110 section 5.5: visible ASCII, obs-text, space and tab; so no control character, no bare CR
or LF.
"""

CONTROLS: Final = bytes(byte for byte in range(32) if byte != 9) + b"\x7f"
"""The bytes that `FIELD_VALUE` does not have."""

has_control: Final = re.compile(b"[" + re.escape(CONTROLS) + b"]").search

FIELD_LINE: Final = TOKEN + rb":" + FIELD_VALUE + rb"\r\n"
"""A pattern of one line of a head or of a trailer section (RFC 9112 section 5)."""

FIELD: Final = re.compile(rb"(" + TOKEN + rb"):(" + FIELD_VALUE + rb")\r\n")
"""The same with groups for name and value; white space around the value is still there."""

# Visible ASCII without '#': RFC 9112 section 3.2 has no fragment in any form of the target.
TARGET: Final = rb"[!\"$-~]++"

is_target: Final = re.compile(TARGET).fullmatch

is_protocol: Final = re.compile(TOKEN + rb"(?:/" + TOKEN + rb")?").fullmatch
"""Whether this is what Upgrade names: a name, perhaps with a version (RFC 9110 section 7.8)."""

MAX_LENGTH_DIGITS: Final = 18
"""As many digits of a Content-Length cannot overflow a signed 64-bit integer, here or in any
peer.
"""

CONNECTION_SPECIFIC: Final = frozenset(
    (b"connection", b"keep-alive", b"proxy-connection", b"transfer-encoding", b"upgrade"),
)
"""Fields about one HTTP/1.1 connection and its framing; they have no place in HTTP/2 (RFC 9113
section 8.2.2).
"""

HOP_BY_HOP: Final = CONNECTION_SPECIFIC | {b"te", b"trailer"}
"""Fields that are never passed on as they came (RFC 9110 section 7.6.1)."""

is_authority: Final = re.compile(
    rb"(?:[A-Za-z0-9\-._~!$&'()*+=]++|\[[0-9A-Fa-f:.]++\])(?::[0-9]{1,5})?",
).fullmatch
"""Whether this is a host with an optional port, in the form of rule 1."""

is_host_name: Final = re.compile(r"[A-Za-z0-9_](?:[A-Za-z0-9_.-]{0,251}[A-Za-z0-9_])?\.?", re.ASCII).fullmatch
"""Whether this may be a name that is looked up (RFC 1123 section 2.1, with the underscore of
service names).
"""

_COLON: Final = ord(":")
_USER_INFORMATION: Final = re.compile(r"^([A-Za-z][A-Za-z0-9+.\-]*+:)?(/*).*@", re.DOTALL)


def without_empty_port(authority: bytes) -> bytes:
    """An authority without the colon of a port that is not there: ``example.org:`` is
    ``example.org``.
    """
    return authority[:-1] if authority and authority[-1] == _COLON else authority


def host_of(authority: str) -> str:
    """The host by which routes are chosen and limits count: in lower case, without port.

    The dot of a fully qualified name (RFC 1034 section 3.1) makes no other host, and must not lead
    past either.
    """
    host = authority.lower()
    if ":" in host and not host.endswith("]"):
        host = host.rpartition(":")[0]
    return host.removesuffix(".")


def without_password(url: str) -> str:
    """A URL for messages: everything before its last ``@`` is hidden, even if the URL is malformed.

    >>> without_password("http://user:secret@host:80/")
    'http://***@host:80/'
    """
    return _USER_INFORMATION.sub(r"\1\2***@", url)
