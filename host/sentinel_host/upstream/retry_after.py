"""For how long a response asks to be left alone: the field ``Retry-After`` (RFC 9110, section
10.2.3).
"""

from __future__ import annotations

from email.utils import parsedate_to_datetime
from typing import Final

from sentinel_host.messages import Headers

_LONGEST: Final = 86_400.0
# Digits of more seconds than any endpoint may ask for.
_MOST_DIGITS: Final = 12


def pause_of(headers: Headers, now: float) -> float:
    """The seconds that are asked for, at most a day; 0 where there is no such field, or where it
    means nothing. ``now`` is in seconds since 1970.
    """
    for name, value in headers:
        if name == b"retry-after":
            return max(0.0, min(_LONGEST, _seconds(value.strip(), now)))
    return 0.0


def _seconds(value: bytes, now: float) -> float:
    if value.isdigit() and len(value) <= _MOST_DIGITS:
        return float(value)
    try:
        return parsedate_to_datetime(value.decode("ascii")).timestamp() - now
    except (ValueError, OverflowError):
        return 0.0
