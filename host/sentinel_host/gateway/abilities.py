"""What a server can do, by the ``extensions`` of a scope."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from sentinel_host.gateway import tunnel
from sentinel_host.gateway.whole import WHOLE
from sentinel_host.http.relay import RELAY

LISTENER: Final = "sentinel.listener"
"""The scope extension by which our server says on which listener a request came in; no client can
set it.
"""

CANCELS: Final = "sentinel.cancel_on_disconnect"
"""The scope extension of a server that cancels the application when the client goes away."""

INFORMATIONAL: Final = "http.response.informational"
"""The scope extension of a server that can send 1xx responses."""

TRAILERS: Final = "http.response.trailers"
"""The scope extension of a server that can send trailers."""


class Abilities:
    """``is_ours`` says that the server is the one of this package, ``is_admin`` that the request
    came to its admin listener. ``upgrade`` says that the request asks for an upgrade, which the
    server can do. The others say which of the extensions above, `WHOLE` and
    `RELAY` there are.
    """

    __slots__ = ("cancels", "informational", "is_admin", "is_ours", "relay", "trailers", "upgrade", "whole")

    def __init__(self, extensions: Mapping[str, Any]) -> None:
        listener = extensions.get(LISTENER)
        self.is_ours = listener is not None
        self.is_admin: bool = listener is not None and listener["name"] == "admin"
        self.cancels = CANCELS in extensions
        self.informational = INFORMATIONAL in extensions
        self.relay = RELAY in extensions
        self.trailers = TRAILERS in extensions
        self.upgrade = tunnel.EXTENSION in extensions
        self.whole = WHOLE in extensions


class KnownAbilities:
    """Abilities by extensions, of which our server has one mapping for nearly all requests."""

    __slots__ = ("_abilities", "_extensions")

    def __init__(self) -> None:
        self._extensions: Mapping[str, Any] | None = None
        self._abilities = Abilities({})

    def of(self, extensions: Mapping[str, Any]) -> Abilities:
        """Those that the extensions of a scope tell."""
        if extensions is self._extensions:
            return self._abilities
        abilities = Abilities(extensions)
        # Of another server it is not known that it leaves a mapping as it was.
        if abilities.is_ours:
            self._extensions, self._abilities = extensions, abilities
        return abilities
