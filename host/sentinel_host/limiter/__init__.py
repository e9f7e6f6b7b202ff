"""Request limits: counters that all workers share, keys, and the header fields of limited
answers.
"""

from __future__ import annotations

from sentinel_host.limiter.fields import (
    POLICY,
    STATE,
    Checked,
    Style,
    limit_headers,
    refusal_headers,
    seconds_of,
    strictest,
)
from sentinel_host.limiter.keys import DEFAULT_IPV6_PREFIX, AddressKeys, KeyFunction, address_key, key_function
from sentinel_host.limiter.limit import MAX_REQUESTS, MAX_WINDOW, Algorithm, Limit, Overflow
from sentinel_host.limiter.table import DEFAULT_SLOTS, SharedTable

__all__ = [
    "DEFAULT_IPV6_PREFIX",
    "DEFAULT_SLOTS",
    "MAX_REQUESTS",
    "MAX_WINDOW",
    "POLICY",
    "STATE",
    "AddressKeys",
    "Algorithm",
    "Checked",
    "KeyFunction",
    "Limit",
    "Overflow",
    "SharedTable",
    "Style",
    "address_key",
    "key_function",
    "limit_headers",
    "refusal_headers",
    "seconds_of",
    "strictest",
]
