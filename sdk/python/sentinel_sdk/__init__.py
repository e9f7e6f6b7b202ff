"""Guests of the Sentinel gateway in Python.

```python
from sentinel_sdk import Guest, Request, Response, log


class Greeter(Guest):
    def on_request(self, request: Request) -> Response | None:
        log.info(f"{request.client} asks for {request.path}")
        request.headers.set("x-greeting", "hello")
        return None
```
"""

from __future__ import annotations

from sentinel_sdk import clock, http, kv, log, metrics, random
from sentinel_sdk.config import header_name, header_value
from sentinel_sdk.errors import ConfigError, GrantError, GuestError, HttpError, KvError
from sentinel_sdk.guest import Guest
from sentinel_sdk.headers import HeaderEdits, Headers
from sentinel_sdk.message import (
    ClientCertificate,
    HeldRequest,
    HeldResponse,
    IncomingResponse,
    Request,
    RequestChunk,
    Response,
    ResponseChunk,
    Summary,
)

__all__ = [
    "ClientCertificate",
    "ConfigError",
    "GrantError",
    "Guest",
    "GuestError",
    "HeaderEdits",
    "Headers",
    "HeldRequest",
    "HeldResponse",
    "HttpError",
    "IncomingResponse",
    "KvError",
    "Request",
    "RequestChunk",
    "Response",
    "ResponseChunk",
    "Summary",
    "clock",
    "header_name",
    "header_value",
    "http",
    "kv",
    "log",
    "metrics",
    "random",
]
