"""A typical request through each example guest: the calls of its hooks, with what the guest
remembers by then and what services answer.

A stored response is found, a login is over, and a token is known. Services answer at once, so that
a call has all that the gateway does for it but the network.
"""

from __future__ import annotations

import functools
import json
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from http.cookies import SimpleCookie
from urllib.parse import parse_qs, urlsplit

from sentinel_host.abi.contract import (
    GRANTS,
    HTTP_ERRORS,
    ON_COMPLETE,
    ON_REQUEST,
    ON_REQUEST_CHUNK,
    ON_RESPONSE,
    ON_RESPONSE_CHUNK,
    Hook,
)
from sentinel_host.abi.decode import decode_outbound_request, decode_request_action, decode_response_action
from sentinel_host.abi.encode import encode_config, encode_request_head, encode_response
from sentinel_host.messages import (
    SKIP,
    Answer,
    BodyMode,
    Headers,
    OutboundRequest,
    RequestEdits,
    RequestHead,
    Response,
    ResponseEdits,
)
from sentinel_host.native import SUSPENDED
from sentinel_host.sandbox import Grants, GuestEngine, HttpGrant
from sentinel_host.sandbox.artefact import Artefact
from sentinel_host.sandbox.instance import SLOTS, Blueprint
from sentinel_host.sandbox.limits import default_limits
from sentinel_host.sandbox.load import NO_CONFIG
from tests.bench import records
from tests.support.instances import run_to_end, start_instance
from tests.support.tokens import signed

NIL = b"\xc0"
# All but a stored response of `cache` need less.
_KV = 1 << 20

Call = Callable[[bytes], object]


@dataclass(frozen=True, slots=True)
class HookCall:
    """One hook of a guest. ``suffix`` follows the guest's name in the figure's; ``record`` makes
    what the call takes, of about a size.
    """

    suffix: str
    call: Call
    record: Callable[[int], bytes]


def hook_calls(engine: GuestEngine, artefact: Artefact, name: str) -> Iterator[HookCall]:
    """Those that a request leads to, in their order; that for its head has no suffix."""
    return _Guest(engine, artefact, name).calls()


class _Guest:
    """An instance that has been configured, and remembers what it needs."""

    def __init__(self, engine: GuestEngine, artefact: Artefact, name: str) -> None:
        module, checked = engine.prepare(artefact, GRANTS)
        self._hooks = {entry.hook for entry in checked.hooks}
        self._name = name
        config = records.CONFIGS.get(name)
        grants = Grants(GRANTS, kv=_KV, http=HttpGrant(functools.partial(_fetch, name)))
        blueprint = Blueprint(name, engine, module, checked, default_limits(artefact.language), grants)
        self._instance = start_instance(blueprint, NO_CONFIG if config is None else encode_config(config))

    def calls(self) -> Iterator[HookCall]:
        if ON_REQUEST not in self._hooks:
            yield HookCall("complete", self._call(ON_COMPLETE), records.summary)
            return
        sent = [*records.credentials(self._name), *self._remember()]
        record_of = functools.partial(records.request_head, sent=sent)
        yield HookCall("", self._call(ON_REQUEST), record_of)
        action = decode_request_action(self._answer(ON_REQUEST, record_of(records.LEAST)))
        if isinstance(action, Answer):
            return
        edits = action or RequestEdits()
        yield from self._chunks("request_chunk", ON_REQUEST_CHUNK, edits.body, edits.context)
        if ON_RESPONSE in self._hooks:
            yield HookCall("response", self._call(ON_RESPONSE, edits.context), records.response_head)
            answer = self._answer(ON_RESPONSE, records.response_head(records.LEAST), edits.context)
            changes = decode_response_action(answer)
            if isinstance(changes, ResponseEdits):
                yield from self._chunks("response_chunk", ON_RESPONSE_CHUNK, changes.body, edits.context)

    def _chunks(self, suffix: str, hook: Hook, mode: BodyMode, context: bytes) -> Iterator[HookCall]:
        """A body of one chunk, if the guest asked for it."""
        if mode != SKIP:
            yield HookCall(suffix, self._call(hook, context, last=True), records.body)

    def _call(self, hook: Hook, context: bytes = b"", *, last: bool = False) -> Call:
        call, slot, instance = self._instance.call, SLOTS[hook], self._instance

        def finished(record: bytes) -> object:
            # It waits for a service, or another process has taken the processor for longer than a
            # tick of the epoch.
            answer = call(slot, record, context, last)
            return run_to_end(instance, answer) if answer is SUSPENDED else answer

        return finished

    def _answer(self, hook: Hook, record: bytes, context: bytes = b"", *, last: bool = False) -> bytes:
        answer = run_to_end(self._instance, self._instance.call(SLOTS[hook], record, context, last))
        return answer or NIL

    def _remember(self) -> Headers:
        """Let the guest see what leads to a typical request; returns fields that such requests
        have.
        """
        if self._name == "cache":
            self._store()
        return [(b"cookie", self._log_in())] if self._name == "oidc-login" else []

    def _store(self) -> None:
        action = decode_request_action(self._answer(ON_REQUEST, records.request_head(records.LEAST)))
        assert isinstance(action, RequestEdits), "the cache has no response yet"
        self._answer(ON_REQUEST_CHUNK, b"", action.context, last=True)
        self._answer(ON_RESPONSE, records.response_head(records.LEAST), action.context)
        self._answer(ON_RESPONSE_CHUNK, records.body(records.LEAST), action.context, last=True)

    def _log_in(self) -> bytes:
        asked = self._respond("/", None, [(b"accept", b"text/html")])
        login = parse_qs(urlsplit(_field(asked, b"location")).query)
        state = login["state"][0]
        # The provider's answer to the code: which login it belongs to.
        answer = self._respond("/callback", f"code={login['nonce'][0]}&state={state}", [(b"cookie", _cookie(asked))])
        return _cookie(answer)

    def _respond(self, path: str, query: str | None, headers: Headers) -> Response:
        head = RequestHead("GET", path, query, headers, "https", "shop.example", "192.0.2.7", "r-1", "main", "1.1")
        action = decode_request_action(self._answer(ON_REQUEST, encode_request_head(head)))
        assert isinstance(action, Answer), path
        return action.response


def _field(response: Response, name: bytes) -> str:
    return next(value.decode() for key, value in response.headers if key == name)


def _cookie(response: Response) -> bytes:
    """The cookie that is set and not deleted, as a browser sends it back."""
    texts = [value.decode() for name, value in response.headers if name == b"set-cookie"]
    morsels = [morsel for text in texts for morsel in SimpleCookie(text).values() if morsel.value]
    (morsel,) = morsels
    return f"{morsel.key}={morsel.value}".encode()


async def _fetch(name: str, request: bytes, label: str) -> tuple[int, bytes]:
    answer = _ANSWERS.get(name, lambda asked: None)(decode_outbound_request(request))
    if answer is None:
        return HTTP_ERRORS.index("unreachable"), b""
    return -1, answer


def _introspection(asked: OutboundRequest) -> bytes:
    return _json({"active": True, "sub": "ann", "scope": "read write", "aud": "shop"})


def _permission(asked: OutboundRequest) -> bytes:
    return encode_response(200, [(b"x-user", b"ann")], b"")


def _provider(asked: OutboundRequest) -> bytes:
    issuer = records.CONFIGS["oidc-login"]["issuer"]
    if asked.url.endswith("/.well-known/openid-configuration"):
        names = ("authorization_endpoint", "token_endpoint", "jwks_uri")
        return _json({"issuer": issuer} | {name: f"{issuer}/{name}" for name in names})
    if asked.url.endswith("/jwks_uri"):
        return _json(records.KEYS)
    now = time.time()
    claims = {"iss": issuer, "aud": "shop", "sub": "ann", "iat": now, "exp": now + 3600}
    nonce = parse_qs(asked.body.decode())["code"][0]
    token = signed("ES256", records.KEY, claims | {"nonce": nonce})
    return _json({"access_token": "a", "token_type": "Bearer", "expires_in": 36000, "id_token": token})


def _json(document: object) -> bytes:
    return encode_response(200, [(b"content-type", b"application/json")], json.dumps(document).encode())


_ANSWERS: dict[str, Callable[[OutboundRequest], bytes]] = {
    "forward-auth": _permission,
    "oidc-login": _provider,
    "token-introspection": _introspection,
}
