"""The header fields of limited answers.

``draft``: ``RateLimit`` and ``RateLimit-Policy`` of draft-ietf-httpapi-ratelimit-headers-11,
structured fields (RFC 9651) with one member per limit. ``legacy``: the three fields of that draft's
revisions up to 07, which many clients still read, for the strictest limit alone. Times are whole
seconds, rounded up: a client that comes back then is served.
"""

from __future__ import annotations

import enum
from typing import Final

from sentinel_host.limiter._check import state_member
from sentinel_host.limiter.limit import Limit
from sentinel_host.messages import Headers


class Style(enum.Enum):
    """Which fields tell a client about its limits."""

    DRAFT = "draft"
    LEGACY = "legacy"
    NONE = "none"


_DRAFT: Final = Style.DRAFT  # read for every answer, and a member of an Enum is slow to look up

POLICY: Final = b"ratelimit-policy"
STATE: Final = b"ratelimit"
_REFUSED: Final = -(1 << 63)

Checked = tuple[Limit, int]
"""A limit and the number that `SharedTable.check` returned."""


def strictest(checked: list[Checked]) -> Checked:
    """The one that speaks for all: the one that refuses longest, or else the one nearest to
    refusing.
    """
    return max(checked, key=_strictness)


def _strictness(checked: Checked) -> tuple[bool, int, int]:
    packed = checked[1]
    return packed < 0, -(packed >> 32 & 0xFFFFFF), packed & 0xFFFFFFFF


def limit_headers(checked: list[Checked], style: Style = Style.DRAFT) -> Headers:
    """The fields of one answer, allowed or not; with ``Retry-After`` when a limit refused (RFC 9110
    section 10.2.3).
    """
    if not checked:
        return []
    headers: Headers
    if style is _DRAFT:
        limit, packed = checked[0]
        policy, state = limit.policy, state_member(limit.quoted_name, packed)
        for index in range(1, len(checked)):
            limit, packed = checked[index]
            policy += b", " + limit.policy
            state += b", " + state_member(limit.quoted_name, packed)
        headers = [(POLICY, policy), (STATE, state)]
    elif style is Style.LEGACY:
        limit, packed = strictest(checked)
        headers = [
            (b"ratelimit-limit", b"%d" % limit.requests),
            (b"ratelimit-remaining", b"%d" % (packed >> 32 & 0xFFFFFF)),
            (b"ratelimit-reset", b"%d" % seconds_of(packed)),
        ]
    else:
        headers = []
    wait = -1
    for _, packed in checked:
        if packed < 0:
            # Not earlier than the end of any effective window that refused (section 6).
            wait = max(wait, seconds_of(packed))
    if wait >= 0:
        headers.append((b"retry-after", b"%d" % wait))
    return headers


def refusal_headers(limit: Limit, seconds: int, style: Style = Style.DRAFT) -> Headers:
    """`limit_headers` of a limit that is alone, has nothing left, and refuses for so long."""
    return limit_headers([(limit, _REFUSED + seconds * 1000)], style)


def seconds_of(packed: int) -> int:
    """A verdict's time in whole seconds, rounded up."""
    return ((packed & 0xFFFFFFFF) + 999) // 1000
