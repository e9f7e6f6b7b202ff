"""Upstreams: which endpoint a request goes to, and what happens when it fails."""

from __future__ import annotations

from sentinel_host.upstream.call import UpstreamCall
from sentinel_host.upstream.replay import ReplayableBody
from sentinel_host.upstream.table import EndpointTable
from sentinel_host.upstream.upstream import Surroundings, Upstream

__all__ = ["EndpointTable", "ReplayableBody", "Surroundings", "Upstream", "UpstreamCall"]
