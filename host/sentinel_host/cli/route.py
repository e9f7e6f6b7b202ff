"""``sentinel route``: which route a request gets, and why the others do not."""

from __future__ import annotations

import argparse

import msgspec

from sentinel_host.authoring.paint import Paint
from sentinel_host.config import load_config
from sentinel_host.errors import ConfigError
from sentinel_host.gateway.explain import Explanation, explain, request_scope


def route(options: argparse.Namespace) -> int:
    """Print the explanation; 1 where the gateway would refuse the request. Raises `ConfigError`."""
    config = load_config(options.config)
    scope = request_scope(options.method, options.url, [_field(each) for each in options.header])
    explanation = explain(config, scope)
    if options.json:
        print(msgspec.json.encode(explanation).decode())
    else:
        print("\n".join(_lines(explanation, Paint.of())))
    return 1 if explanation.status else 0


def _field(written: str) -> tuple[str, str]:
    name, colon, value = written.partition(":")
    if not colon or not name.strip():
        raise ConfigError(f"--header: expected NAME: VALUE, got {written!r}")
    return name.strip(), value.strip()


def _lines(told: Explanation, paint: Paint) -> list[str]:
    query = "" if told.query is None else f"?{told.query}"
    lines = [paint("bold", f"{told.method} {told.scheme}://{told.host}{told.path}{query}")]
    for verdict in told.verdicts:
        name = verdict.route if verdict.route == verdict.path else f"{verdict.route} ({verdict.path})"
        if verdict.is_chosen:
            lines.append(f"  {paint('green', '✓')} {paint('bold', name)}")
        else:
            lines.append(f"  {paint('dim', '✗')} {name}")
            lines += [paint("dim", f"      {reason}") for reason in verdict.reasons]
    if told.status:
        return [*lines, paint("red", f"the gateway answers {told.status}: {told.refused}")]
    before = [limit for limit in told.limits if not limit.after_guests]
    after = [limit for limit in told.limits if limit.after_guests]
    lines += [f"limit     {limit.name}: {limit.told}" for limit in before]
    lines += [f"guest     {guest}" for guest in told.guests]
    lines += [f"limit     {limit.name}: {limit.told}" for limit in after]
    return [*lines, f"goes to   {told.goes_to}"]
