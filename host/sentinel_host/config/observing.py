"""What operators see of a gateway that can be configured: traces."""

from __future__ import annotations

import msgspec

from sentinel_host.config.units import Seconds


class TracingConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How requests take part in traces (W3C Trace Context). Without this table they do not.

    `traceparent` and `tracestate` are believed from `server.trusted_proxies`, made where there are
    none, shown to guests and sent to upstreams.
    """

    # Envoy and OpenTelemetry sample all by default.
    share: float = 0.01
    """The share of the traces that begin here that are sampled; of others, the caller decides."""
    slow: Seconds = Seconds(1)
    """Time beyond which a request is recorded all the same. Requests that fail are, too."""
