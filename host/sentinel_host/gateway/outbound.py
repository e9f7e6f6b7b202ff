"""The HTTP calls of one guest: which targets, how much, how long, and what comes of it.

Rule 1: a target is one that the configuration lists, by scheme, host and port, and its address
        passes `AllowedAddresses`. Redirects are handed to the guest, which may ask again by the
        same rules.
Rule 2: nothing here raises but what cancels it: every failure is a case of ``http-client.error``.
Rule 3: a call that is cancelled, because the client left, closes its connection.
"""

from __future__ import annotations

import asyncio
import logging
import re
import ssl
from functools import partial
from time import monotonic

from sentinel_host.abi.decode import decode_outbound_request
from sentinel_host.abi.encode import encode_response
from sentinel_host.abi.rules import GATEWAY_OWNED, AbiError
from sentinel_host.config import HttpClientConfig
from sentinel_host.errors import ConfigError, SentinelError, UpstreamDenied, UpstreamTimeout
from sentinel_host.gateway.addresses import AllowedAddresses
from sentinel_host.grammar import without_password
from sentinel_host.http.client import Target, Timeouts, UpstreamPool, UpstreamRequest
from sentinel_host.messages import Headers, HttpError, OutboundRequest
from sentinel_host.net import Names
from sentinel_host.sandbox import HttpGrant

_log = logging.getLogger("sentinel.gateway")

_URL = re.compile(r"(https?://[^/?#\\]+)([/?][!-\"$-~]*)?", re.ASCII).fullmatch
_NOT_PASSED_ON = frozenset(name.encode() for name in GATEWAY_OWNED)
_ANSWERED = -1
# Seconds between two lines about a guest whose calls fail: a flood of them is counted, and said
# once.
_SAY_AGAIN_AFTER = 1.0


class _Refused(Exception):
    def __init__(self, error: HttpError, reason: str) -> None:
        super().__init__(reason)
        self.error = error


class Outbound:
    """The targets that one guest may ask, each with a pool of kept connections; ``context`` is for
    those with TLS.
    """

    def __init__(
        self,
        guest: str,
        settings: HttpClientConfig,
        admin: tuple[str, int] | None,
        names: Names,
        context: ssl.SSLContext | None = None,
    ) -> None:
        self.grant = HttpGrant(self.fetch, settings.calls, settings.request)
        self._guest = guest
        self._settings = settings
        self._said_at = 0.0
        self._pools: dict[Target, UpstreamPool] = {}
        targets = [Target.parse(target.rstrip("/")) for target in settings.allow]
        allowed = AllowedAddresses(settings.networks, admin)
        timeouts = Timeouts(connect=settings.timeout, response=settings.timeout, idle=settings.timeout)
        for target in targets:
            self._pools[target] = UpstreamPool(
                target,
                timeouts=timeouts,
                max_connections=settings.connections,
                ssl_context=context,
                allows=partial(allowed, port=target.port),
                names=names,
            )

    async def fetch(self, data: bytes, request_id: str) -> tuple[int, bytes]:
        """`sentinel_host.native.plan.Fetch`."""
        try:
            request = decode_outbound_request(data)
            pool, target = self._find(request.url)
            async with asyncio.timeout(self._time_for(request)):
                return _ANSWERED, await self._ask(pool, target, request)
        except _Refused as refused:
            return self._failed(refused.error, str(refused), request_id)
        except AbiError as error:
            return self._failed(HttpError.INVALID, str(error), request_id)
        except UpstreamDenied as error:
            return self._failed(HttpError.DENIED, str(error), request_id)
        except (UpstreamTimeout, TimeoutError) as error:
            return self._failed(HttpError.TIMEOUT, str(error) or "no whole answer in time", request_id)
        except SentinelError as error:
            return self._failed(HttpError.UNREACHABLE, str(error), request_id)

    def learn(self) -> None:
        """Look up the targets' names that have not been."""
        for pool in self._pools.values():
            pool.learn()

    async def close(self) -> None:
        """Close every connection."""
        await asyncio.gather(*(pool.close() for pool in self._pools.values()))

    def _find(self, url: str) -> tuple[UpstreamPool, bytes]:
        """The pool for a URL, and its request target."""
        match = _URL(url)
        try:
            target = Target.parse(match[1]) if match else None
        except ConfigError as error:
            raise _Refused(HttpError.INVALID, str(error)) from None
        if match is None or target is None:
            raise _Refused(HttpError.INVALID, f"{without_password(url)[:64]!r} is not a URL that may be asked")
        pool = self._pools.get(target)
        if pool is None:
            raise _Refused(HttpError.DENIED, f"{target} is not among its targets")
        rest = match[2] or "/"
        return pool, (rest if rest.startswith("/") else f"/{rest}").encode("ascii")

    def _time_for(self, request: OutboundRequest) -> float:
        most = self._settings.timeout
        return most if request.timeout is None else min(most, request.timeout / 1000)

    async def _ask(self, pool: UpstreamPool, target: bytes, request: OutboundRequest) -> bytes:
        response = await pool.send(
            UpstreamRequest(request.method.encode("ascii"), target, request.headers, pool.authority, request.body)
        )
        size, chunks = 0, []
        try:
            while chunk := await response.read():
                size += len(chunk)
                if size > self._settings.response:
                    raise _Refused(HttpError.TOO_LARGE, f"{pool.target} answers more than the limit")
                chunks.append(chunk)
        except BaseException:
            response.abort()
            raise
        return encode_response(response.status, _end_to_end(response.headers), b"".join(chunks))

    def _failed(self, error: HttpError, reason: str, request_id: str) -> tuple[int, bytes]:
        now = monotonic()
        if now - self._said_at >= _SAY_AGAIN_AFTER:
            self._said_at = now
            _log.warning(
                "guest %s: http-client: %s (request %s)",
                self._guest,
                reason,
                request_id,
                extra={"guest": self._guest, "request_id": request_id},
            )
        return int(error), b""


def _end_to_end(headers: Headers) -> Headers:
    return [(name, value) for name, value in headers if name not in _NOT_PASSED_ON]
