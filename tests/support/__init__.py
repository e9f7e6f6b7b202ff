"""What tests share: a gateway in a process of its own, scripted upstreams, raw clients."""

from __future__ import annotations
