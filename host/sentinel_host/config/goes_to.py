"""Where a route's requests go, in words."""

from __future__ import annotations

from sentinel_host.config.model import Config, RouteConfig


def goes_to(config: Config, route: RouteConfig) -> str:
    """Its own response, or its upstreams with their targets and shares."""
    if route.respond is not None:
        return f"a response of its own, {route.respond.status}"
    if route.redirect is not None:
        return f"a redirect, {route.redirect.status}, to {route.redirect.to}"
    targets = {upstream.name: ", ".join(upstream.urls()) for upstream in config.upstream}
    if route.split is not None:
        total = sum(route.split.values()) or 1
        return ", ".join(
            f"{weight * 100 / total:.3g} % to upstream {name} ({targets[name]})" for name, weight in route.split.items()
        )
    name = route.upstream or ""
    return f"upstream {name} ({targets[name]})"
