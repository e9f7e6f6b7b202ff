"""What names a server in a request's target and in Host (RFC 3986 section 3.2), and what of a URL may be shown.

Rule 1: an authority has one form here: an empty port, which means the same as none (RFC 3986 section 6.2.3), goes.
Rule 2: a name is a reg-name (RFC 3986 section 3.2.2) as far as it has one reading. Refused are ``,`` and ``;``, which
        separate hosts in X-Forwarded-Host and parameters in Forwarded for everybody who splits before he unquotes; and
        escapes, with which a reader that decodes sees another host than the one by which a route was chosen.
Rule 3: user information is no part of it (RFC 9110 section 4.2.4), and no message repeats any: it may hold a password.
"""

from __future__ import annotations

import re
from typing import Final

is_authority: Final = re.compile(
    rb"(?:[A-Za-z0-9\-._~!$&'()*+=]++|\[[0-9A-Fa-f:.]++\])(?::[0-9]{1,5})?",
).fullmatch
"""Whether this is a host with an optional port, in the form of rule 1."""

_COLON: Final = ord(":")
_USER_INFORMATION: Final = re.compile(r"^([A-Za-z][A-Za-z0-9+.\-]*+:)?(/*).*@", re.DOTALL)


def without_empty_port(authority: bytes) -> bytes:
    """An authority without the colon of a port that is not there: ``example.org:`` is ``example.org``."""
    return authority[:-1] if authority and authority[-1] == _COLON else authority


def host_of(authority: str) -> str:
    """The host by which routes are chosen and limits count: in lower case, without port.

    The dot of a fully qualified name (RFC 1034 section 3.1) makes no other host, and must not lead past either.
    """
    host = authority.lower()
    if ":" in host and not host.endswith("]"):
        host = host.rpartition(":")[0]
    return host.removesuffix(".")


def without_password(url: str) -> str:
    """A URL as it may be shown: what stands before its last ``@`` is hidden, however malformed the URL is.

    >>> without_password("http://user:secret@host:80/")
    'http://***@host:80/'
    """
    return _USER_INFORMATION.sub(r"\1\2***@", url)
