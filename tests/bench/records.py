"""Records of an exact size, and configurations for the example guests, so that calls do real
work.
"""

from __future__ import annotations

import base64
import hmac
import json
import time
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ec

from sentinel_host.abi.encode import encode_request_head, encode_summary
from sentinel_host.messages import Headers, RequestHead, Summary
from tests.support.tokens import jwk, signed

_KEY = ec.generate_private_key(ec.SECP256R1())
_SECRET = b"32 bytes of a secret that nobody"

CONFIGS: dict[str, dict[str, Any]] = {
    "api-key-auth": {"keys": {"demo-key": "demo"}},
    "basic-auth": {"users": {"ann": "$2a$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW"}},
    "cors": {"origins": ["https://app.example"]},
    "header-injection": {"request": {"set": {"x-gateway": "sentinel"}}},
    "hmac-auth": {"keys": {"a": base64.b64encode(_SECRET).decode()}, "require_nonce": False},
    "ip-filter": {"allow": ["10.0.0.0/8", "192.0.2.0/24"]},
    "json-schema": {"schema": {"type": "object", "required": ["amount"]}},
    "jwt-auth": {"jwks": json.dumps({"keys": [jwk(_KEY)]})},
    "path-rewrite": {"strip_prefix": "/api", "add_prefix": "/v1"},
    "redirect-rules": {"rules": [{"prefix": "/old", "to": "/new"}]},
    "templates": {"pages": {"/orders": "<p>{{article}}</p>"}},
}
"""By the guest's name; others run without one."""

GRANTED = frozenset({"cache", "daily-quota", "forward-auth", "oidc-login", "token-introspection", "token-quota"})
"""Guests that need functions of the host: what those take is not the price of a call."""


def credentials(name: str) -> Headers:
    """What a guest has to be sent so that it checks everything and lets the request pass."""
    if name == "basic-auth":
        return [(b"authorization", b"Basic " + base64.b64encode(b"ann:U*U"))]
    if name == "jwt-auth":
        token = signed("ES256", _KEY, {"sub": "ann", "exp": time.time() + 3600})
        return [(b"authorization", f"Bearer {token}".encode())]
    if name == "hmac-auth":
        covered = '("@method" "@authority" "@path" "@query")'
        params = f'{covered};created={int(time.time())};keyid="a"'
        lines = '"@method": GET\n"@authority": shop.example\n"@path": /api/v1/items\n"@query": ?x=1\n'
        mac = hmac.digest(_SECRET, f'{lines}"@signature-params": {params}'.encode(), "sha256")
        signature = b"s=:" + base64.b64encode(mac) + b":"
        return [(b"signature-input", f"s={params}".encode()), (b"signature", signature)]
    return []


def request_head(size: int, sent: Headers | None = None) -> bytes:
    """A ``request-head`` of about ``size`` bytes (exactly, where MessagePack's lengths allow),
    padded by a cookie.

    What is ``sent`` is added to the header fields.
    """
    headers: Headers = [
        (b"host", b"shop.example"),
        (b"user-agent", b"wrk/4.2"),
        (b"accept", b"*/*"),
        (b"x-api-key", b"demo-key"),
        *(sent or []),
    ]
    head = RequestHead(
        "GET", "/api/v1/items", "x=1", headers, "https", "shop.example", "192.0.2.7", "r-1", "main", "1.1"
    )
    return _padded(size, lambda fill: encode_request_head(_with_cookie(head, fill)))


def summary(size: int) -> bytes:
    """A ``summary`` of about ``size`` bytes, padded by its query."""

    def encode(fill: int) -> bytes:
        return encode_summary(
            Summary(
                request_id="r-1",
                method="GET",
                path="/api/v1/items",
                query="q" * fill,
                route="main",
                authority="shop.example",
                client="192.0.2.7",
                http_version="1.1",
                started_at=1_700_000_000_000_000,
                duration=1234,
                status=200,
                response_bytes=512,
                upstream="origin",
                upstream_duration=900,
                endpoint="http://10.0.0.1:9000",
                tries=1,
            )
        )

    return _padded(size, encode)


def _with_cookie(head: RequestHead, fill: int) -> RequestHead:
    padded: Headers = [*head.headers, (b"cookie", b"session=" + b"a" * fill)]
    return RequestHead(
        head.method,
        head.path,
        head.query,
        padded,
        head.scheme,
        head.authority,
        head.client,
        head.request_id,
        head.route,
        head.http_version,
    )


def _padded(size: int, encode: Any) -> bytes:
    fill = max(0, size - len(encode(0)))
    for _ in range(3):
        record: bytes = encode(fill)
        if len(record) <= size:
            break
        fill -= len(record) - size
    return record
