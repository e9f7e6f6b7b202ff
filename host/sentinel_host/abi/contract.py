"""Names, versions and core signatures of ``wit/``, as ``wit/ABI.md`` section 1 tabulates them.

``tests/conformance`` holds these tables to the WIT files.
"""

from __future__ import annotations

from dataclasses import dataclass

PACKAGE = "sentinel:gateway"
VERSION = (0, 1, 0)

CoreTypes = tuple[str, ...]
"""Core value types by name, for example ``("i32", "i32")``."""


@dataclass(frozen=True, slots=True)
class Hook:
    """A function that a guest may export."""

    name: str
    interface: str
    params: CoreTypes
    results: CoreTypes

    def core_export(self, version: str) -> str:
        """The core export's name in a guest of that version, for example
        ``…/lifecycle@0.1.0#configure``.
        """
        return f"{PACKAGE}/{self.interface}@{version}#{self.name}"


@dataclass(frozen=True, slots=True)
class Import:
    """A function that the host offers to guests."""

    interface: str
    name: str
    params: CoreTypes
    results: CoreTypes = ()

    @property
    def grant(self) -> str | None:
        """The grant that a guest needs to import it: its interface; ``None`` for the log, which
        needs no grant.
        """
        return None if self.interface == "log" else self.interface


CONFIGURE = Hook("configure", "lifecycle", ("i32",) * 2, ("i32",))
ON_REQUEST = Hook("on-request", "request-handler", ("i32",) * 2, ("i32",))
ON_RESPONSE = Hook("on-response", "response-handler", ("i32",) * 4, ("i32",))
ON_COMPLETE = Hook("on-complete", "completion-handler", ("i32",) * 4, ())
ON_REQUEST_CHUNK = Hook("on-request-chunk", "request-body-handler", ("i32",) * 5, ("i32",))
ON_RESPONSE_CHUNK = Hook("on-response-chunk", "response-body-handler", ("i32",) * 5, ("i32",))

HOOKS = (CONFIGURE, ON_REQUEST, ON_RESPONSE, ON_COMPLETE, ON_REQUEST_CHUNK, ON_RESPONSE_CHUNK)

NEEDED_HOOKS = "sentinel_needed_hooks"
"""The core export that tells which of the head hooks a configured guest needs."""

NEEDED_BITS = {ON_REQUEST: 1, ON_RESPONSE: 2, ON_COMPLETE: 4}
"""The bit of each in its result."""

ARGUMENT_AREA = "sentinel_argument_area"
"""The core export that tells where the records and contexts of head hooks may be written."""

IMPORTS = (
    Import("log", "write", ("i32",) * 3),
    Import("clock", "wall", (), ("i64",)),
    Import("clock", "monotonic", (), ("i64",)),
    Import("random", "bytes", ("i32",) * 2),
    Import("random", "number", (), ("i64",)),
    Import("metrics", "add", ("i32", "i32", "i32", "i32", "i64")),
    Import("metrics", "observe", ("i32", "i32", "i32", "i32", "f64")),
    Import("metrics", "describe", ("i32",) * 9),
    Import("kv", "get", ("i32",) * 3),
    Import("kv", "set", ("i32", "i32", "i32", "i32", "i64", "i32")),
    Import("kv", "delete", ("i32",) * 3),
    Import("kv", "add", ("i32", "i32", "i64", "i64", "i32")),
    Import("http-client", "send", ("i32",) * 3),
)
GRANTS = frozenset(entry.grant for entry in IMPORTS if entry.grant is not None)
"""Every name that ``grants`` may hold in a guest's configuration."""

LOG_LEVELS = ("trace", "debug", "info", "warn", "error")

METRIC_KINDS = ("counter", "histogram")

HTTP_ERRORS = ("denied", "invalid", "too-many", "timeout", "unreachable", "too-large")
"""The cases of ``http-client.error``."""
