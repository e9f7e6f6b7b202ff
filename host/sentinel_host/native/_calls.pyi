from typing import Any, final, overload

_Headers = list[tuple[bytes, bytes]]
_Stop = tuple[int, bytes, Any, bytes | int | None]

def bind(call: int, output: int, move: int, /) -> None:
    """Say where ``snt_call``, ``snt_guest_output`` and ``snt_guest_move`` are, for all that follows."""

def call(guest: object, slot: int, first: bytes, second: bytes, flag: bool, label: bytes, /) -> bytes | int | None:
    """``snt_call`` of the instance at an address, which may not be closed meanwhile.

    ``None`` stands for an empty answer, a number for all that ``snt_call`` returns beside a plain length.
    """

def call_chunk(
    guest: object, slot: int, first: bytes, second: bytes, flag: bool, label: bytes, /
) -> tuple[bytes] | bytes | int | None:
    """As `call`, for an answer to a chunk: a tuple holds the bytes that it puts in the chunk's place.

    Any other answer, also one that only ``decode`` can read as such bytes, is returned as it is.
    """

@final
class Hooks:
    """The hooks of one kind in a chain, in the order in which they are called.

    Each is a place in the chain, and what is in ``DirectHook``; or the place alone, of one that C cannot call.
    """

    def __new__(cls, entries: tuple[tuple[int, list[Any], int, int, int, int] | int, ...], /) -> Hooks: ...

def run_request(
    hooks: Hooks,
    index: int,
    record: bytes | None,
    contexts: dict[int, bytes],
    label: bytes,
    head: object,
    method: str,
    path: str,
    query: str | None,
    headers: _Headers,
    scheme: str,
    authority: str,
    client: str,
    request_id: str,
    route: str,
    http_version: str,
    client_certificate: tuple[bytes] = ...,
    /,
) -> _Stop | None:
    """Call hooks from ``index`` on with the record of these values, or with ``record``, which has been made of them.

    Plain edits are applied, to ``headers``, ``head`` and ``contexts``. ``None`` when all hooks are through.
    """

def run_response(
    hooks: Hooks,
    index: int,
    record: bytes | None,
    contexts: dict[int, bytes],
    label: bytes,
    head: object,
    status: int,
    headers: _Headers,
    origin: int,
    /,
) -> _Stop | None:
    """As `run_request`, with what the request's hooks left in ``contexts``."""

@overload
def run_completion(
    hooks: Hooks, index: int, record: bytes, contexts: dict[int, bytes], label: bytes, /
) -> _Stop | None:
    """As `run_response`; there is nothing to edit, so that a record needs no values."""

@overload
def run_completion(
    hooks: Hooks,
    index: int,
    record: None,
    contexts: dict[int, bytes],
    label: bytes,
    request_id: str,
    method: str,
    path: str,
    query: str | None,
    route: str,
    authority: str,
    client: str,
    http_version: str,
    started_at: int,
    duration: int,
    status: int,
    request_bytes: int,
    response_bytes: int,
    outcome: int,
    origin: int,
    upstream: str | None,
    upstream_duration: int | None,
    endpoint: str | None,
    tries: int,
    /,
) -> _Stop | None: ...
