"""The gateway: a Quart application whose HTTP side is the data plane.

Modules are imported one by one: whoever checks a configuration, or looks for a request's route, does
without Quart.
"""

from __future__ import annotations
