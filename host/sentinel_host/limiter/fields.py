"""The header fields of limited answers.

``draft``: ``RateLimit`` and ``RateLimit-Policy`` of draft-ietf-httpapi-ratelimit-headers-11, structured fields (RFC
9651) with one member per limit. ``legacy``: the three fields of that draft's revisions up to 07, which many clients still
read, for the strictest limit alone. Times are whole seconds, rounded up: a client that comes back then is served.
"""

from __future__ import annotations

import enum
from collections.abc import Sequence

from sentinel_host.limiter.limit import Limit
from sentinel_host.messages import Headers


class Style(enum.Enum):
    """Which fields tell a client about its limits."""

    DRAFT = "draft"
    LEGACY = "legacy"
    NONE = "none"


Checked = tuple[Limit, int]
"""A limit and the number that `SharedTable.check` returned."""


def strictest(checked: Sequence[Checked]) -> Checked:
    """The one that speaks for all: the one that refuses longest, or else the one nearest to refusing."""
    return max(checked, key=_strictness)


def _strictness(checked: Checked) -> tuple[bool, int, int]:
    packed = checked[1]
    return packed < 0, -(packed >> 32 & 0xFFFFFF), packed & 0xFFFFFFFF


def policy_value(limits: Sequence[Limit]) -> bytes:
    """``RateLimit-Policy``: what does not change from request to request."""
    return b", ".join([_policy(limit) for limit in limits])


def _policy(limit: Limit) -> bytes:
    # Parameter w has no fractions (section 3.1.3), and a wrong window is worse than none.
    window = b";w=%d" % limit.window if limit.window % 1 == 0 else b""
    return b'"%b";q=%d%b' % (_quoted(limit.name), limit.requests, window)


def limit_headers(checked: Sequence[Checked], style: Style = Style.DRAFT) -> Headers:
    """The fields of one answer, allowed or not; with ``Retry-After`` when a limit refused (RFC 9110 section 10.2.3)."""
    headers: Headers = []
    if not checked:
        return headers
    if style is Style.DRAFT:
        headers.append((b"ratelimit-policy", policy_value([limit for limit, _ in checked])))
        headers.append((b"ratelimit", b", ".join([_service_limit(limit, packed) for limit, packed in checked])))
    elif style is Style.LEGACY:
        limit, packed = strictest(checked)
        headers.append((b"ratelimit-limit", b"%d" % limit.requests))
        headers.append((b"ratelimit-remaining", b"%d" % (packed >> 32 & 0xFFFFFF)))
        headers.append((b"ratelimit-reset", b"%d" % _seconds(packed)))
    waits = [_seconds(packed) for _, packed in checked if packed < 0]
    if waits:
        # Not earlier than the end of any effective window that refused (section 6).
        headers.append((b"retry-after", b"%d" % max(waits)))
    return headers


def _service_limit(limit: Limit, packed: int) -> bytes:
    return b'"%b";r=%d;t=%d' % (_quoted(limit.name), packed >> 32 & 0xFFFFFF, _seconds(packed))


def _seconds(packed: int) -> int:
    seconds = ((packed & 0xFFFFFFFF) + 999) // 1000
    return max(seconds, 1) if packed < 0 else seconds


def _quoted(name: str) -> bytes:
    return name.replace("\\", "\\\\").replace('"', '\\"').encode("ascii")
