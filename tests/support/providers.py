"""An OpenID provider: codes that are good once, PKCE, refresh tokens that rotate, and signed ID
tokens.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import json
import time
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs, parse_qsl, urlsplit

from cryptography.hazmat.primitives.asymmetric import ec

from tests.support.tokens import encoded, jwk, signed
from tests.support.upstreams import Received, Upstream

CLIENT, SECRET = "gateway", "a secret: of the client's"


@dataclass
class Grant:
    """What a login at the provider has led to."""

    subject: str
    nonce: str
    challenge: str
    redirect_uri: str


class Provider:
    """Answers for a running upstream. ``lifetime`` is access tokens', in seconds; ``asked`` the
    token requests.
    """

    def __init__(self, server: Upstream, lifetime: int = 300) -> None:
        self.issuer = server.url
        self.lifetime = lifetime
        self.asked: list[dict[str, str]] = []
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._codes: dict[str, Grant] = {}
        self._refresh_tokens: dict[str, Grant] = {}
        self._count = 0
        server.handler = self._serve

    def log_in(self, location: str, subject: str) -> str:
        """What a user does at the provider: from its page back to the gateway."""
        page = urlsplit(location)
        assert f"{page.scheme}://{page.netloc}{page.path}" == f"{self.issuer}/authorize"
        asked = dict(parse_qsl(page.query, strict_parsing=True))
        assert (asked["response_type"], asked["client_id"], asked["code_challenge_method"]) == ("code", CLIENT, "S256")
        assert "openid" in asked["scope"].split()
        code = self._next("code")
        self._codes[code] = Grant(subject, asked["nonce"], asked["code_challenge"], asked["redirect_uri"])
        return f"{asked['redirect_uri']}?code={code}&state={asked['state']}"

    async def _serve(self, received: Received, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        status, document = self._answer(received)
        body = json.dumps(document).encode()
        writer.write(b"HTTP/1.1 %d -\r\ncontent-length: %d\r\n\r\n" % (status, len(body)) + body)

    def _answer(self, received: Received) -> tuple[int, dict[str, Any]]:
        if received.target == "/.well-known/openid-configuration":
            names = {"authorization_endpoint": "authorize", "token_endpoint": "token", "jwks_uri": "keys"}
            names["end_session_endpoint"] = "end"
            return 200, {"issuer": self.issuer} | {name: f"{self.issuer}/{path}" for name, path in names.items()}
        if received.target == "/keys":
            return 200, {"keys": [jwk(self._key, kid="k", use="sig", alg="ES256")]}
        assert (received.method, received.target) == ("POST", "/token")
        form = {name: values[0] for name, values in parse_qs(received.body.decode(), strict_parsing=True).items()}
        self.asked.append(form)
        grant = self._granted(form, received.values("authorization"))
        return (400, {"error": "invalid_grant"}) if grant is None else (200, self._tokens(grant))

    def _granted(self, form: dict[str, str], authorization: list[str]) -> Grant | None:
        expected = base64.b64encode(f"{CLIENT}:a%20secret%3A%20of%20the%20client%27s".encode()).decode()
        if authorization != [f"Basic {expected}"]:
            return None
        if form["grant_type"] == "refresh_token":
            return self._refresh_tokens.pop(form["refresh_token"], None)
        grant = self._codes.pop(form["code"], None)
        challenge = encoded(hashlib.sha256(form["code_verifier"].encode()).digest())
        if grant is None or (grant.challenge, grant.redirect_uri) != (challenge, form["redirect_uri"]):
            return None
        return grant

    def _tokens(self, grant: Grant) -> dict[str, Any]:
        now = time.time()
        claims = {"iss": self.issuer, "aud": CLIENT, "sub": grant.subject, "iat": now, "exp": now + 300}
        refresh_token = self._next("refresh")
        self._refresh_tokens[refresh_token] = grant
        return {
            "access_token": self._next("access"),
            "token_type": "Bearer",
            "expires_in": self.lifetime,
            "refresh_token": refresh_token,
            "id_token": signed("ES256", self._key, claims | {"nonce": grant.nonce, "name": "Ann"}, kid="k"),
        }

    def _next(self, kind: str) -> str:
        self._count += 1
        return f"{kind}-{self._count}"
