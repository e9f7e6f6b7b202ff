"""Writing TOML: what `sentinel dev` serves, and what it prints to be pasted."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any, Final

_BARE: Final = re.compile(r"[A-Za-z0-9_-]+")


def table(header: str, values: Mapping[str, Any]) -> str:
    """A table under a header such as ``[server]``; tables in it are written inline."""
    return "\n".join([header, *(f"{_key(key)} = {value(each)}" for key, each in values.items())]) + "\n"


def value(each: Any) -> str:
    """A value that `tomllib` reads as the same, but for dates and times, which configurations do
    not have.
    """
    if isinstance(each, Mapping):
        return "{" + ", ".join(f"{_key(key)} = {value(inner)}" for key, inner in each.items()) + "}"
    if isinstance(each, list):
        return "[" + ", ".join(map(value, each)) + "]"
    if isinstance(each, str):
        # A basic string has JSON's escapes; DEL, which JSON lets pass, is not allowed in one.
        return json.dumps(each, ensure_ascii=False).replace("\x7f", "\\u007f")
    return json.dumps(each)


def _key(key: str) -> str:
    return key if _BARE.fullmatch(key) else value(key)
