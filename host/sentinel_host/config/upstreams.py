"""What can be configured of an upstream, with its defaults and where they come from.

Every struct is frozen and refuses unknown keys.
"""

from __future__ import annotations

from typing import Literal

import msgspec

from sentinel_host.config.units import Bytes, Seconds


class TargetConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One entry of ``targets`` with a weight; an entry that is only a URL has the weight 1.

    ``url`` is ``http://HOST[:PORT]``, ``https://HOST[:PORT]``, ``http+unix:///PATH`` for a socket
    of this machine, or ``srv://NAME`` for the servers of a service (RFC 2782).
    """

    url: str
    weight: int = 1


class StickyConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """``sticky``: a signed cookie keeps each client on its endpoint while that may be used.

    ``secret`` signs it. Gateways that share clients need the same; without one it is random, and a
    restart forgets the clients. ``max_age`` is how long browsers keep the cookie: by default until
    they end.
    """

    cookie: str
    secret: str | None = None
    max_age: Seconds = Seconds(0)


class EjectConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """``[upstream.eject]``: when an endpoint that fails gets no requests for a while.

    ``failures`` are requests in a row without an answer (nginx's ``max_fails`` is 1),
    ``server_errors`` answers of 5xx in a row (Envoy: 5), ``share`` the part of its requests that
    fails while others' do not; 0 switches each off. The first ejection lasts ``time``, the n-th in
    a row n times as long (Envoy: 30s), at most ``max_time`` (Envoy: 300s). At most ``max_share``
    percent of the endpoints are ejected at one time, at least one where there are several, and
    never the last (Envoy's 10 does nothing with fewer than ten).
    """

    failures: int = 2
    server_errors: int = 5
    share: float = 0.5
    time: Seconds = Seconds(10)
    max_time: Seconds = Seconds(300)
    max_share: int = 50


class CheckConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """``[upstream.check]``: asks each endpoint, once per machine, whether it is well.

    ``type`` is what is asked: an HTTP ``path`` that answers one of ``statuses``, a TCP connection
    that is accepted, or gRPC's health service (grpc.health.v1) for ``service``. It asks every
    ``interval``, give or take a tenth, and waits for ``timeout``. ``down`` failures in a row take
    an endpoint out, ``up`` successes put it back; the first answer decides at the start. (Envoy
    Gateway: 3s, 1s, 3 and 1.)
    """

    type: Literal["http", "tcp", "grpc"] = "http"
    path: str = "/"
    host: str | None = None
    statuses: list[int] = msgspec.field(default_factory=lambda: [200, 204])
    service: str = ""
    interval: Seconds = Seconds(5)
    timeout: Seconds = Seconds(1)
    down: int = 3
    up: int = 2


class RetryConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """``[upstream.retry]``: another endpoint is asked when one fails.

    A request goes to at most ``tries`` endpoints (Envoy: 2). What was not sent yet is always sent
    elsewhere. Requests of idempotent methods, and of a route's ``retry_methods``, are sent again
    when there was no answer, or one of ``statuses``; a body must be no longer than ``body``.
    Retries are at most ``budget`` percent of the requests of the last ten seconds (Envoy: 20), and
    ``least`` a second in any case. Before a further one, and after one of ``statuses``, a random time passes,
    up to ``backoff`` and then twice as long, at most ``max_backoff`` (Envoy: 25ms and 250ms).
    """

    tries: int = 3
    statuses: list[int] = msgspec.field(default_factory=lambda: [502, 503, 504])
    body: Bytes = Bytes(64 << 10)
    budget: int = 20
    least: int = 3
    backoff: Seconds = Seconds(0.025)
    max_backoff: Seconds = Seconds(0.25)


class BreakerConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """``[upstream.breaker]``: beyond these, requests are answered with 503 at once.

    ``max_requests`` are under way and ``max_pending`` wait for a connection, in each worker
    (Envoy: 1024 of each, in each process).
    """

    max_requests: int = 1024
    max_pending: int = 1024


class UpstreamConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """``[[upstream]]``: targets that can answer for each other.

    ``balance`` chooses among their endpoints: the less busy of two, each in turn, any, or by
    ``hash``: ``client-ip``, ``path``, ``header:NAME``, ``cookie:NAME``, or ``guest:NAME``, a header
    as the guests left it. An endpoint that comes into service, or back, gets its share within
    ``slow_start``. When fewer than ``panic`` percent of the endpoints are well, all are used
    (Envoy: 50). ``connections`` are those to one endpoint of one worker that requests share;
    connections that changed their protocol, such as WebSockets, are counted for themselves, by
    ``tunnels``. A connection serves for ``max_age`` and for ``max_requests_per_connection`` at
    most, less a random tenth; 0: for as long as it works. Names are looked up again after
    ``dns_ttl``, or sooner if their answers say so.
    """

    name: str
    targets: list[str | TargetConfig]
    balance: Literal["least-requests", "round-robin", "random", "hash"] = "least-requests"
    hash: str | None = None
    sticky: StickyConfig | None = None
    slow_start: Seconds = Seconds(0)
    panic: int = 50
    eject: bool | EjectConfig = True
    check: CheckConfig | None = None
    retry: bool | RetryConfig = True
    breaker: BreakerConfig = BreakerConfig()
    ca: str | None = None
    connect_timeout: Seconds = Seconds(5)
    response_timeout: Seconds = Seconds(60)
    idle_timeout: Seconds = Seconds(60)
    connections: int = 256
    tunnels: int = 1024
    max_age: Seconds = Seconds(0)
    max_requests_per_connection: int = 0
    dns_ttl: Seconds = Seconds(30)

    def weighted_targets(self) -> list[TargetConfig]:
        """The targets with every weight spelt out."""
        return [TargetConfig(target) if isinstance(target, str) else target for target in self.targets]

    @property
    def ejects(self) -> EjectConfig | None:
        """The rules of ejection, if there is any."""
        return (EjectConfig() if self.eject else None) if isinstance(self.eject, bool) else self.eject

    @property
    def retries(self) -> RetryConfig | None:
        """The rules of retries, if there is any."""
        return (RetryConfig() if self.retry else None) if isinstance(self.retry, bool) else self.retry
