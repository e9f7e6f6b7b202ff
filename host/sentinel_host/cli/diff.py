"""``sentinel diff``: what another configuration would change."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import msgspec

from sentinel_host.authoring.paint import Paint
from sentinel_host.cli.remote import ask
from sentinel_host.config import load_config, parse_config
from sentinel_host.config.difference import Difference, differences
from sentinel_host.errors import ConfigError

_SIGNS = {"added": ("+", "green"), "removed": ("-", "red"), "changed": ("~", "yellow")}


def diff(options: argparse.Namespace) -> int:
    """Print the differences, one in a line; with ``--running``, from what a gateway serves. Raises
    `SentinelError` where the new one is wrong.
    """
    try:
        text = Path(options.new).read_text(encoding="utf-8")
    except OSError as error:
        raise ConfigError(f"{options.new}: {error.strerror or error}") from None
    except UnicodeDecodeError as error:
        raise ConfigError(f"{options.new}: not UTF-8 at byte {error.start}") from None
    if options.running:
        answer = ask(options, "POST", "/config/check", text.encode())
        found = msgspec.convert(answer["changes"], list[Difference])
    else:
        found = differences(load_config(options.config), parse_config(text, options.new))
    if options.json:
        print(msgspec.json.encode({"changes": found}).decode())
    else:
        print("\n".join(difference_lines(found, Paint.of())))
    return 0


def difference_lines(found: list[Difference], paint: Paint) -> list[str]:
    """For people."""
    if not found:
        return ["nothing changes"]
    return [_line(each, paint) for each in found]


def _line(found: Difference, paint: Paint) -> str:
    sign, style = _SIGNS[found.kind]
    head = paint(style, f"{sign} {found.key}")
    restart = paint("red", "  (needs a restart)") if found.needs_restart else ""
    if found.kind == "changed":
        return f"{head}: {_value(found.before)} → {_value(found.after)}{restart}"
    keys: dict[str, Any] = (found.after if found.kind == "added" else found.before) or {}
    return f"{head}  {', '.join(f'{key} = {_value(each)}' for key, each in keys.items())}".rstrip()


def _value(value: Any) -> str:
    return "none" if value is None else json.dumps(value, ensure_ascii=False)
