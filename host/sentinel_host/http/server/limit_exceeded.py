"""The refusal of what goes beyond a limit.

Apart from the limits: they are compiled, and an exception of interpreted Python cannot be.
"""

from __future__ import annotations

from sentinel_host.errors import ClientError


class LimitExceeded(ClientError):
    """A client went beyond ``limit``, a field of `ServerLimits`."""

    def __init__(self, limit: str, reason: str, status: int) -> None:
        super().__init__(reason, status)
        self.limit = limit


def limit_of(error: ClientError) -> str:
    """The name under which a refusal is counted: the limit that was exceeded, or ``refused``."""
    return error.limit if isinstance(error, LimitExceeded) else "refused"
