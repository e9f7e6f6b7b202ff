from __future__ import annotations

import hmac
from dataclasses import dataclass, field

from sentinel_sdk import ConfigError, Guest, Request, Response, header_name, header_value


@dataclass
class Config:
    keys: dict[str, str] = field(metadata={"schema": {"description": "Each key and the principal that it belongs to."}})
    header: str = field(default="x-api-key", metadata={"schema": {"description": "Where the key is sent."}})
    principal_header: str = field(
        default="x-principal",
        metadata={
            "schema": {"description": "Where the upstream finds the principal; what the client sent there is replaced."}
        },
    )
    realm: str = field(default="sentinel", metadata={"schema": {"description": "The realm of the challenge."}})


class ApiKeyAuth(Guest[Config]):
    """Lets only requests with a known API key through, and tells the upstream whose it is."""

    def configure(self, config: Config) -> None:
        self.header = header_name(config.header)
        self.principal_header = header_name(config.principal_header)
        realm = config.realm
        if not realm.isprintable() or '"' in realm or "\\" in realm:
            raise ConfigError("realm: no control characters, quotation marks or backslashes")
        self.keys = list(map(_key, config.keys.items()))
        if not self.keys:
            raise ConfigError("keys: at least one key is needed")
        challenge = {"www-authenticate": f'ApiKey realm="{realm}"'}
        self.missing = Response.json({"error": "an API key is required"}, 401, challenge)
        self.wrong = Response.json({"error": "this API key is not accepted"}, 403)
        self.several = Response.json({"error": "more than one API key was sent"}, 403)

    def on_request(self, request: Request) -> Response | None:
        headers = request.headers
        presented = headers.get_bytes(self.header)
        if presented is None:
            return self.missing
        if headers.count(self.header) > 1:
            return self.several
        # Every key is compared, whether an earlier one agreed or not: the time must not tell which.
        principals = [principal for key, principal in self.keys if hmac.compare_digest(key, presented)]
        if not principals:
            return self.wrong
        headers.remove(self.header)
        headers.set(self.principal_header, principals[0])
        return None


def _key(item: tuple[str, str]) -> tuple[bytes, str]:
    """The messages leave the keys out: they are secrets."""
    key, principal = item
    if not key:
        raise ConfigError("keys: a key is empty")
    try:
        if principal:
            return key.encode(), header_value(principal)
    except ValueError:
        pass
    raise ConfigError("keys: the principal of each key has to be text that a header can carry")
