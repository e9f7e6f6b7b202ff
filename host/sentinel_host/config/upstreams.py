"""What can be configured of an upstream, with its defaults.

Every struct is frozen and refuses unknown keys.
"""

from __future__ import annotations

from typing import Literal

import msgspec

from sentinel_host.config.units import Bytes, Seconds


class TargetConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A target with a weight. A target that is only a URL has the weight 1."""

    url: str
    """`http://HOST[:PORT]`, `https://HOST[:PORT]`, `http+unix:///PATH`, `srv://NAME`, or over TLS
    `srv+https://NAME`.
    """
    weight: int = 1
    """Its share of the requests beside the others' weights."""


class StickyConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A signed cookie that keeps each client on its endpoint, while that may be used."""

    cookie: str
    """Name of the cookie."""
    secret: str | None = None
    """Signs it. Gateways that share clients need the same. By default it is random, and a restart
    forgets clients.
    """
    max_age: Seconds = Seconds(0)
    """How long browsers keep it; 0: until they end."""


class EjectConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """When an endpoint that fails gets no requests for a while. 0 switches a rule off."""

    # nginx: `max_fails=1`.
    failures: int = 2
    """Requests in a row that got no answer: refused, reset, timed out, or not HTTP."""
    # Envoy: `consecutive_5xx` 5.
    server_errors: int = 5
    """Answers of 5xx in a row."""
    share: float = 0.5
    """Part of the requests of ten seconds that failed, when it is twice that of the other
    endpoints.
    """
    # nginx: `fail_timeout=10s`; Envoy: `base_ejection_time` 30s.
    time: Seconds = Seconds(10)
    """How long the first ejection lasts; the n-th in a row lasts n times as long."""
    # Envoy: `max_ejection_time` 300s.
    max_time: Seconds = Seconds(300)
    """How long one lasts at most."""
    # Envoy's `max_ejection_percent` of 10 does nothing with fewer than ten endpoints.
    max_share: int = 50
    """Percent of the endpoints that are ejected at one time: at least one of several, and never
    all.
    """


class CheckConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Asks each endpoint, once per machine, whether it is well. The first answer decides at the
    start.
    """

    type: Literal["http", "tcp", "grpc"] = "http"
    """Ask for a path, connect, or ask gRPC's health service (`grpc.health.v1`)."""
    path: str = "/"
    """Path of an HTTP check."""
    host: str | None = None
    """Its Host; by default the target's."""
    statuses: list[int] = msgspec.field(default_factory=lambda: [200, 204])
    """Statuses that mean that the endpoint is well; every other means that it is not."""
    service: str = ""
    """Service that a gRPC check asks for; empty: the whole server."""
    # Envoy Gateway: 3s; Traefik and Caddy: 30s.
    interval: Seconds = Seconds(5)
    """Time between two checks, give or take a tenth."""
    # Envoy Gateway: 1s; Traefik and Caddy: 5s.
    timeout: Seconds = Seconds(1)
    """Time for an answer."""
    # Envoy Gateway: `unhealthyThreshold` 3.
    down: int = 3
    """Failures in a row that take an endpoint out."""
    # Envoy Gateway: `healthyThreshold` 1.
    up: int = 2
    """Successes in a row that put it back; one, while no endpoint of the upstream serves."""


class RetryConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Another endpoint is asked when one fails.

    What was not sent yet always goes elsewhere. What may have been seen goes elsewhere only if its
    method is idempotent or among the route's `retry_methods`. An endpoint that answers one of
    `statuses` with `Retry-After` gets no retries for that time, or until it answers a request well.
    """

    # Envoy: `num_retries` 1.
    tries: int = 3
    """Endpoints that are asked for one request, the first included."""
    # nginx: `proxy_next_upstream`, where these can be set.
    statuses: list[int] = msgspec.field(default_factory=lambda: [502, 503, 504])
    """Statuses that count as failures."""
    body: Bytes = Bytes(64 << 10)
    """Size of a request's body up to which it is kept for another try."""
    # Envoy: `retry_budget` 20 %.
    budget: int = 20
    """Retries, in percent of the requests of the last ten seconds."""
    # Envoy: `min_retry_concurrency` 3.
    least: int = 3
    """Retries per second that are allowed in any case."""
    # Envoy: `base_interval` 25ms.
    backoff: Seconds = Seconds(0.025)
    """Longest pause after one of `statuses`, doubled each time. After no answer, the first retry
    has none.
    """
    # Envoy: `max_interval` 250ms.
    max_backoff: Seconds = Seconds(0.25)
    """Longest pause of all."""


class BreakerConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Beyond these, requests are answered with 503 at once."""

    # Envoy: 1024, per process.
    max_requests: int = 1024
    """Requests under way, per worker."""
    # Envoy: 1024, per process.
    max_pending: int = 1024
    """Requests that wait for a connection to one endpoint, per worker."""


class UpstreamConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Targets that can answer for each other. Every address of a target's name is an endpoint."""

    name: str
    """The name that routes use."""
    targets: list[str | TargetConfig]
    """URLs with scheme, host and optionally port, or tables with `url` and `weight`."""
    # Envoy: least-request with two choices; nginx: round robin.
    balance: Literal["least-requests", "round-robin", "random", "hash"] = "least-requests"
    """Which endpoint: the less busy of two, each in turn, any, or by `hash`. Weights count with
    each.
    """
    hash: str | None = None
    """With `balance = "hash"`: `client-ip`, `path`, `header:NAME` as the guests leave it, or
    `cookie:NAME`.
    """
    sticky: StickyConfig | None = None
    """A cookie that keeps a client on its endpoint."""
    slow_start: Seconds = Seconds(0)
    """Time in which an endpoint that joins, or comes back, gets its whole share; 0: at once. Not
    with `hash`.
    """
    # Envoy: `healthy_panic_threshold` 50 %.
    panic: int = 50
    """Percent of endpoints that are well below which all are used; 0: never."""
    eject: bool | EjectConfig = True
    """When an endpoint is ejected; `true` means the defaults, `false` never."""
    check: CheckConfig | None = None
    """How endpoints are checked; by default they are not."""
    retry: bool | RetryConfig = True
    """Whether another endpoint is asked; `true` means the defaults, `false` never."""
    breaker: BreakerConfig = BreakerConfig()
    """Bounds of what is under way."""
    # Envoy: HTTP/1.1 unless configured; nginx: `proxy_http_version`.
    protocol: Literal["http/1.1", "http/2", "auto"] | None = None
    """How endpoints are spoken to: `http/2` without asking first, or `auto`: what TLS negotiates
    (ALPN). By default `auto` for https, and HTTP/1.1 otherwise.
    """
    # HAProxy: `send-proxy` and `send-proxy-v2`.
    proxy_protocol: Literal["v1", "v2"] | None = None
    """Version of the PROXY header that connections begin with, to tell endpoints the client's
    address. Only requests of one client's connection share such a connection, over HTTP/1.1.
    """
    ca: str | None = None
    """PEM file or directory of authorities for https, instead of the system's."""
    cert: str | None = None
    """PEM file of the certificate chain that https targets are shown; `key` goes with it."""
    key: str | None = None
    """PEM file of its private key."""
    server_name: str | None = None
    """The name that https targets are asked for (SNI), and that their certificates must have,
    instead of the target's host.
    """
    connect_timeout: Seconds = Seconds(5)
    """Time for a connection, TLS handshake included."""
    # nginx: `proxy_read_timeout 60s`.
    response_timeout: Seconds = Seconds(60)
    """Time for a response's head."""
    # nginx: `proxy_read_timeout 60s`.
    idle_timeout: Seconds = Seconds(60)
    """Time between two pieces of a body."""
    connections: int = 256
    """Connections to one endpoint that requests share, per worker. Requests beyond them wait."""
    tunnels: int = 1024
    """Connections to one endpoint that changed their protocol, such as WebSockets, per worker; over
    HTTP/2, streams.
    """
    max_age: Seconds = Seconds(0)
    """How long a connection serves, less a random tenth; 0: as long as it works."""
    max_requests_per_connection: int = 0
    """How many requests it serves, less a random tenth; 0: any number."""
    dns_ttl: Seconds = Seconds(30)
    """When names are looked up again, unless their answers hold for a shorter time."""

    def weighted_targets(self) -> list[TargetConfig]:
        """The targets with every weight spelt out."""
        return [TargetConfig(target) if isinstance(target, str) else target for target in self.targets]

    def urls(self) -> list[str]:
        """The targets without their weights."""
        return [target if isinstance(target, str) else target.url for target in self.targets]

    @property
    def ejects(self) -> EjectConfig | None:
        """The rules of ejection, if there are any."""
        return (EjectConfig() if self.eject else None) if isinstance(self.eject, bool) else self.eject

    @property
    def retries(self) -> RetryConfig | None:
        """The rules of retries, if there are any."""
        return (RetryConfig() if self.retry else None) if isinstance(self.retry, bool) else self.retry
