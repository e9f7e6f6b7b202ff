"""Scopes, and what admission makes of them."""

from __future__ import annotations

from typing import Any

import pytest

from sentinel_host.errors import ClientError
from sentinel_host.http.rules import Admission, Admitted, TrustedPeers
from sentinel_host.paths import STRICT

TRUSTED = ("192.0.2.0/24", "2001:db8::/32")


def admission(trusted: tuple[str, ...] = (), *, refuse_aliases: bool = False) -> Admission:
    return Admission(
        identity_headers=["x-principal"], trusted=TrustedPeers(trusted), paths=STRICT, refuse_aliases=refuse_aliases
    )


def scope(*headers: tuple[bytes, bytes], host: bytes | None = b"example.org", **options: Any) -> dict[str, Any]:
    first = [] if host is None else [(b"host", host)]
    defaults = {
        "type": "http",
        "method": "GET",
        "http_version": "1.1",
        "scheme": "http",
        "client": ("192.0.2.7", 1),
        "raw_path": b"/a",
        "query_string": b"",
        "headers": [*first, *headers],
    }
    return defaults | options


def admit(*headers: tuple[bytes, bytes], trusted: tuple[str, ...] = (), **options: Any) -> Admitted:
    return admission(trusted).admit(scope(*headers, **options))


def refused(*headers: tuple[bytes, bytes], **options: Any) -> ClientError:
    with pytest.raises(ClientError) as error:
        admit(*headers, **options)
    return error.value
