"""What the SDK raises."""

from __future__ import annotations


class GuestError(Exception):
    """The root of the SDK's errors."""


class ConfigError(GuestError):
    """Raise it in ``configure`` to refuse the configuration; the operator reads the message."""


class GrantError(GuestError):
    """A function of the host was called whose grant the guest was not built with."""

    def __init__(self, function: str, grant: str) -> None:
        super().__init__(f'{function} needs the grant "{grant}": add it to grants in [tool.sentinel] of pyproject.toml')


class KvError(GuestError):
    """A call of `sentinel_sdk.kv` came to nothing.

    ``reason`` is ``full``, ``too-large``, ``not-a-number`` or ``unavailable``.
    """

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class HttpError(GuestError):
    """A call of `sentinel_sdk.http` came to nothing.

    ``reason`` is ``denied``, ``invalid``, ``too-many``, ``timeout``, ``unreachable`` or
    ``too-large``.
    """

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason
