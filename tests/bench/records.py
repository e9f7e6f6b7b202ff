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

from sentinel_host.abi.encode import encode_request_head, encode_response_head, encode_summary
from sentinel_host.messages import Headers, Origin, RequestHead, ResponseHead, Summary
from tests.support.tokens import jwk, signed

KEY = ec.generate_private_key(ec.SECP256R1())
"""Of whoever issues tokens."""

KEYS = {"keys": [jwk(KEY)]}
_SECRET = b"32 bytes of a secret that nobody"

CONFIGS: dict[str, dict[str, Any]] = {
    "api-key-auth": {"keys": {"demo-key": "demo"}},
    "basic-auth": {"users": {"ann": "$2a$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW"}},
    "bot-filter": {"categories": ["scanners", "scrapers", "ai"], "deny": ["badbot"]},
    "compress": {"encodings": ["gzip"], "level": 4},
    "cors": {"origins": ["https://app.example", "https://*.preview.example"], "credentials": True},
    "daily-quota": {"limit": (1 << 32) - 1},
    "forward-auth": {"address": "https://auth.example/check", "auth_response_headers": ["x-user"]},
    "header-injection": {"request": {"set": {"x-gateway": "sentinel"}}},
    "hmac-auth": {"keys": {"a": base64.b64encode(_SECRET).decode()}, "require_nonce": False},
    "ip-filter": {"allow": ["10.0.0.0/8", "192.0.2.0/24"]},
    "json-schema": {"schema": {"type": "object", "required": ["amount"]}},
    "json-validator": {"required": ["article", "amount"]},
    "jwt-auth": {"jwks": json.dumps(KEYS)},
    "maintenance": {"enabled": True, "allow": ["192.0.2.0/24"]},
    "oidc-login": {
        "issuer": "https://login.example",
        "client_id": "shop",
        "client_secret": "a secret of the client's",
        "redirect_uri": "https://shop.example/callback",
        "cookie_secret": base64.b64encode(_SECRET).decode(),
    },
    "path-rewrite": {"strip_prefix": "/api", "add_prefix": "/v1"},
    "redactor": {"words": ["secret-token"]},
    "redirect-rules": {"rules": [{"prefix": "/old", "to": "/new"}, {"pattern": "/blog/*/*", "to": "/posts/$1-$2"}]},
    "request-transform": {
        "headers": {"remove": ["x-internal"], "add": {"x-source": "gateway"}},
        "query": {"set": {"version": "2"}},
    },
    "response-transform": {"headers": {"set": {"x-served-by": "gateway"}}, "body": {"remove": ["/card"]}},
    "security-headers": {"content_security_policy": "default-src 'self'", "remove": ["server"]},
    "templates": {"pages": {"/orders": "<p>{{article}}</p>"}},
    "token-introspection": {"endpoint": "https://login.example/introspect", "required_scopes": ["read"]},
    "token-quota": {"limit": 1 << 40},
}
"""By the guest's name; others run without one."""

LEAST = 256
"""The size of the smallest records."""


def credentials(name: str) -> Headers:
    """What a guest has to be sent so that it checks everything and lets the request pass."""
    if name == "basic-auth":
        return [(b"authorization", b"Basic " + base64.b64encode(b"ann:U*U"))]
    if name == "jwt-auth":
        token = signed("ES256", KEY, {"sub": "ann", "exp": time.time() + 3600})
        return [(b"authorization", f"Bearer {token}".encode())]
    if name == "token-introspection":
        return [(b"authorization", b"Bearer 2YotnFZFEjr1zCsicMWpAA")]
    if name == "cors":
        return [(b"origin", b"https://app.example")]
    if name == "compress":
        return [(b"accept-encoding", b"gzip, br")]
    if name in ("json-validator", "json-schema"):
        return [(b"content-type", b"application/json")]
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


def response_head(size: int) -> bytes:
    """A ``response-head`` of about ``size`` bytes, padded by a header field."""
    headers: Headers = [
        (b"content-type", b"application/json"),
        (b"cache-control", b"max-age=3600"),
        (b"etag", b'"1"'),
        (b"server", b"nginx"),
    ]

    def encode(fill: int) -> bytes:
        return encode_response_head(ResponseHead(200, [*headers, (b"x-fill", b"a" * fill)], Origin.UPSTREAM))

    return _padded(size, encode)


def body(size: int) -> bytes:
    """JSON of that size, as a request's body and as a response's."""
    document = b'{"article":"shoes","amount":3,"card":"4111111111111111","usage":{"total_tokens":1},"note":"'
    return document + b"a" * (size - len(document) - 2) + b'"}'


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
