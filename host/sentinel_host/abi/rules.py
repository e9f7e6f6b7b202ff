"""Checks of single values in a guest's answer.

Each check takes a value of any type from MessagePack, returns it in the right type, and raises
`AbiError` and nothing else.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from sentinel_host.grammar import HOP_BY_HOP, has_control, is_field_name_text, is_token_text
from sentinel_host.memo import Memo
from sentinel_host.paths import STRICT, PathRule, is_query


class AbiError(ValueError):
    """A guest's answer breaks the contract; the text says how."""


@dataclass(frozen=True, slots=True)
class AnswerLimits:
    """How large one answer of a guest may be, and which paths it may choose.

    Precedent: common servers take heads of 100 fields and 8 to 64 KiB.
    """

    edits: int = 128
    header_bytes: int = 65536
    context_bytes: int = 65536
    paths: PathRule = STRICT


DEFAULT_LIMITS: Final = AnswerLimits()

# RFC 9110 section 7.6.1 and 6.6.1, and RFC 9112: fields that describe the connection or the
# framing, which the gateway writes by itself. Host is here because the route and the upstream
# decide it.
GATEWAY_OWNED: Final = frozenset(name.decode() for name in HOP_BY_HOP) | {"content-length", "host"}


# A guest names the same few headers again and again: one look-up replaces validation and encoding.
header_names: Final[Memo[str, bytes]] = Memo(1024, 64)
_known_names: Final = header_names.known


def checked_header(value: Any) -> tuple[bytes, bytes]:
    """``header``: its name, and its value without the blanks around it."""
    if type(value) is not list or len(value) < 2:
        raise AbiError("header: expected [name, value]")
    name = checked_header_name(value[0])
    data = value[1]
    if type(data) is not bytes:
        raise AbiError(f"header {value[0]}: value: expected bin")
    if has_control(data):
        raise AbiError(f"header {value[0]}: value holds a control character")
    return name, data.strip(b" \t")


def checked_header_name(value: Any) -> bytes:
    """A lower-case token that the gateway does not own."""
    if type(value) is not str:
        raise AbiError("header: name: expected str")
    known = _known_names.get(value)
    if known is not None:
        return known
    if not is_field_name_text(value):
        raise AbiError(f"header: name {value[:64]!r} is not a lower-case token")
    if value in GATEWAY_OWNED:
        raise AbiError(f"header {value}: the gateway owns it, a guest may not touch it")
    name = value.encode("ascii")
    header_names.keep(value, name)
    return name


def checked_status(value: Any) -> int:
    """A final status, 200 to 599."""
    if type(value) is not int or not 200 <= value <= 599:
        raise AbiError(f"status {value!r:.32} is not in 200 to 599")
    return value


def checked_context(value: Any, limits: AnswerLimits) -> bytes:
    """What a guest hands on to its later hooks, within the limit."""
    if type(value) is not bytes:
        raise AbiError("context: expected bin")
    if len(value) > limits.context_bytes:
        raise AbiError(f"context of {len(value)} bytes, at most {limits.context_bytes} are allowed")
    return value


def checked_chunk(value: Any) -> bytes:
    """A piece of a body; its size is bounded by the guest's memory."""
    if type(value) is not bytes:
        raise AbiError("chunk: expected bin")
    return value


def checked_text(value: Any, what: str) -> str | None:
    """Any text, or nil; ``what`` names it in the complaint."""
    if value is not None and type(value) is not str:
        raise AbiError(f"{what}: expected str or nil")
    return value


def checked_path(value: Any, limits: AnswerLimits) -> str | None:
    """A path in the form that admission gives those of clients, or nil."""
    path = checked_text(value, "path")
    if path is not None and not limits.paths.is_canonical(path):
        raise AbiError(f"path {path[:64]!r} is not canonical")
    return path


def checked_query(value: Any) -> str | None:
    """A query without its question mark, or nil."""
    query = checked_text(value, "query")
    if query is not None and not is_query(query):
        raise AbiError(f"query {query[:64]!r} holds characters that a query may not")
    return query


def checked_method(value: Any) -> str | None:
    """A method that an upstream may be asked with, or nil."""
    method = checked_text(value, "method")
    if method is not None and (not is_token_text(method) or method == "CONNECT"):
        raise AbiError(f"method {method[:64]!r} is not a token that may be forwarded")
    return method
