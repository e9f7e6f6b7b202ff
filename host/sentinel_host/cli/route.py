"""``sentinel route``: which route a request gets, and why the others do not."""

from __future__ import annotations

import argparse
import asyncio
from typing import TYPE_CHECKING, Any

import msgspec

from sentinel_host.authoring.paint import Paint
from sentinel_host.config import Config, load_config, read_files
from sentinel_host.errors import ConfigError
from sentinel_host.gateway.explain import Explanation, explain, request_scope
from sentinel_host.observe import Change

if TYPE_CHECKING:
    from sentinel_host.gateway.rehearsal import Rehearsal


def route(options: argparse.Namespace) -> int:
    """Print the explanation, and with ``--run`` what guests change; 1 where the gateway would
    refuse the request. Raises `ConfigError`.
    """
    config = load_config(options.config)
    scope = request_scope(options.method, options.url, [_field(each) for each in options.header])
    explanation = explain(config, scope)
    found = _rehearsed(config, scope) if options.run and not explanation.status else None
    if options.json:
        print(msgspec.json.encode({"explanation": explanation, "run": found}).decode())
    else:
        paint = Paint.of()
        print("\n".join(_lines(explanation, paint)))
        if found is not None:
            print("\n".join(_run_lines(found, paint)))
    return 1 if explanation.status else 0


def _rehearsed(config: Config, scope: dict[str, Any]) -> Rehearsal:
    # The engine takes a while to load.
    from sentinel_host.gateway.rehearsal import rehearse

    return asyncio.run(rehearse(read_files(config), scope))


def _run_lines(run: Rehearsal, paint: Paint) -> list[str]:
    lines = [""]
    for hook in run.hooks:
        style = {"failed": "red", "refused": "red", "answered": "yellow", "edited": "green"}.get(hook.outcome, "dim")
        lines.append(f"{paint('bold', hook.guest)} {hook.hook}: {paint(style, hook.outcome)}  {hook.error}".rstrip())
        lines += [f"    {_change(change, paint)}" for change in hook.changes]
        if hook.asks:
            lines.append(f"    asks for the body, to {hook.asks} it")
    lines += [paint("dim", f"{line.guest} logs, {line.level}: {line.message}") for line in run.lines]
    if run.sent is not None:
        query = "" if run.sent.query is None else f"?{run.sent.query}"
        lines.append(f"upstream {run.sent.upstream} gets {run.sent.method} {run.sent.path}{query}")
        lines += [f"    {name}: {value}" for name, value in run.sent.headers]
        lines.append("of an empty answer with 200, the client gets")
    else:
        lines.append(f"the {run.origin} answers {run.status}; the client gets")
    return [*lines, f"    {run.status}", *(f"    {name}: {value}" for name, value in run.headers)]


def _change(change: Change, paint: Paint) -> str:
    name = change.name or change.part
    before, after = ", ".join(change.before), ", ".join(change.after)
    if not change.after:
        return paint("red", f"- {name}: {before}")
    if not change.before:
        return paint("green", f"+ {name}: {after}")
    return paint("yellow", f"~ {name}: {before} → {after}")


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
