"""The configuration reference, from `sentinel_host.config.model` and
`sentinel_host.http.server.limits`.

A field's docstring says what it does; the comment above a field says where its default comes from.
"""

from __future__ import annotations

import ast
import inspect
import re
import textwrap
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final, Literal, Union, get_args, get_origin, get_type_hints

import msgspec

from sentinel_host.config import destinations, model, observing, upstreams
from sentinel_host.config.units import Bytes, Seconds
from sentinel_host.http.server import limits
from sitebuild.markdown import WIDTH
from sitebuild.places import ROOT

# Heading and struct of each table, in the order of the page. The first part of a heading is how the
# table is written.
SECTIONS: Final[tuple[tuple[str, type[msgspec.Struct]], ...]] = (
    ("[server]", model.ServerConfig),
    ("server.bind", model.BindConfig),
    ("server.tls", model.TlsConfig),
    ("server.tls.certificates", model.CertificateConfig),
    ("[server.paths]", model.PathsConfig),
    ("[server.limits]", model.LimitsConfig),
    ("[guests]", model.GuestsConfig),
    ("[guest.NAME]", model.GuestConfig),
    ("[guest.NAME.revert]", model.RevertConfig),
    ("[guest.NAME.canary]", model.CanaryConfig),
    ("[guest.NAME.http]", model.HttpClientConfig),
    ("[guest.NAME.limits]", model.AnswersConfig),
    ("[[upstream]]", upstreams.UpstreamConfig),
    ("upstream.targets", upstreams.TargetConfig),
    ("[upstream.sticky]", upstreams.StickyConfig),
    ("[upstream.eject]", upstreams.EjectConfig),
    ("[upstream.check]", upstreams.CheckConfig),
    ("[upstream.retry]", upstreams.RetryConfig),
    ("[upstream.breaker]", upstreams.BreakerConfig),
    ("[[route]]", model.RouteConfig),
    ("route.chain", model.ChainEntry),
    ("route.respond", destinations.RespondConfig),
    ("route.redirect", destinations.RedirectConfig),
    ("route.mirror", destinations.MirrorConfig),
    ("[[route.limits]]", model.LimitConfig),
    ("[tracing]", observing.TracingConfig),
    ("[otlp]", observing.OtlpConfig),
    ("[log]", observing.LogConfig),
    ("[access_log]", observing.AccessLogConfig),
)
_INTRODUCTION: Final = """\
# Configuration

A configuration is one TOML file in UTF-8, with or without a byte order mark. An unknown key, a
wrong type or a missing upstream is refused; the message names the file, the key and what was
expected. `sentinel check --config FILE` checks everything that `sentinel run` would refuse.

Durations are strings such as `"50ms"`, `"1.5s"`, `"10m"` or `"1h"`. Sizes are strings such as
`"512B"`, `"64KiB"`, `"16MiB"` or `"1GiB"`. Paths are relative to the configuration file. Every
string value may have [environment variables](../how-to/environment.md): `"${NAME}"`,
`"${NAME:-DEFAULT}"`, and `"$${"` for `${`.

Lines below a table give the reason or the precedent of defaults.
"""
# Beyond these times or sizes the next unit is easier to read.
_TIMES: Final = ((3600, "h"), (60, "m"), (1, "s"))
_SIZES: Final = ((1 << 30, "GiB"), (1 << 20, "MiB"), (1 << 10, "KiB"))


@dataclass(frozen=True, slots=True)
class Key:
    """One key of a table."""

    name: str
    kind: str
    default: str
    text: str
    precedent: str


def page() -> str:
    """The page's Markdown. Raises `ValueError` for a field that has no docstring."""
    parts = [_INTRODUCTION]
    for heading, struct in SECTIONS:
        parts += [f"## `{heading}`", "", inspect.cleandoc(struct.__doc__ or ""), ""]
        keys = list(_keys(struct))
        parts += ["| key | type | default | |", "|---|---|---|---|"]
        parts += [f"| `{key.name}` | {key.kind} | {key.default} | {_cell(key.text)} |" for key in keys]
        parts += ["", *(_item(f"Default of `{key.name}`: {key.precedent}") for key in keys if key.precedent)]
        parts += [""] if any(key.precedent for key in keys) else []
    return "\n".join(parts).rstrip() + "\n"


def _keys(struct: type[msgspec.Struct]) -> Iterator[Key]:
    types = get_type_hints(struct)
    texts = _texts(struct.__module__, struct.__name__)
    defaults = {field.name: field for field in msgspec.structs.fields(struct)}
    # The defaults of these are the HTTP server's.
    served = _served() if struct is model.LimitsConfig else {}
    for name, kind in types.items():
        text, precedent = texts[name]
        if not text:
            raise ValueError(f"{struct.__name__}.{name} has no docstring")
        default = _default(defaults[name], kind)
        if name in served:
            default, precedent = served[name]
            default = _written(default, kind)
        yield Key(name, _kind(kind), default, text, precedent)


def _served() -> dict[str, tuple[Any, str]]:
    texts = _texts(limits.__name__, limits.ServerLimits.__name__)
    return {name: (getattr(limits.ServerLimits(), name), precedent) for name, (_, precedent) in texts.items()}


def _texts(module: str, name: str) -> dict[str, tuple[str, str]]:
    """Docstring and comment of each field of a class; of a compiled module, too, whose file is no
    source.
    """
    source = (ROOT / "host" / f"{module.replace('.', '/')}.py").read_text()
    lines = source.splitlines()
    (found,) = (node for node in ast.parse(source).body if isinstance(node, ast.ClassDef) and node.name == name)
    texts: dict[str, tuple[str, str]] = {}
    for node, following in zip(found.body, [*found.body[1:], None], strict=True):
        if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
            texts[node.target.id] = (_docstring(following), _comment(lines, node.lineno - 1))
    return texts


def _docstring(node: ast.stmt | None) -> str:
    if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str):
        return inspect.cleandoc(node.value.value)
    return ""


def _comment(lines: list[str], at: int) -> str:
    """The comment that ends right above a line."""
    comment: list[str] = []
    while lines[at - 1].lstrip().startswith("#"):
        at -= 1
        comment.insert(0, lines[at].lstrip()[1:].strip())
    return " ".join(comment)


def _default(field: msgspec.structs.FieldInfo, kind: Any) -> str:
    if field.required:
        return "needed"
    value = field.default if field.default is not msgspec.NODEFAULT else field.default_factory()
    return _written(value, kind)


def _written(value: Any, kind: Any) -> str:
    """A value as an operator writes it."""
    if value is None or isinstance(value, msgspec.Struct):
        return "none" if value is None else "see there"
    if Seconds in (kind, *get_args(kind)):
        return _in_units(value, _TIMES, 0.001, "ms")
    if Bytes in (kind, *get_args(kind)):
        return _in_units(value, _SIZES, 1, "B")
    return f"`{msgspec.json.encode(value).decode()}`"


def _in_units(value: float, units: tuple[tuple[int, str], ...], least: float, smallest: str) -> str:
    for size, unit in units:
        if (value >= size or (not value and size == 1)) and value % size == 0:
            return f'`"{value / size:g}{unit}"`'
    return f'`"{value / least:g}{smallest}"`'


def _kind(kind: Any) -> str:
    """A type in words, with a link where it is a table of its own."""
    heading = next((heading for heading, struct in SECTIONS if struct is kind), None)
    if heading:
        return f"[table](#{anchor(heading)})"
    if get_origin(kind) is Literal:
        return " or ".join(f'`"{choice}"`' for choice in get_args(kind))
    if get_origin(kind) in (Union, type(int | str)):
        return " or ".join(_kind(part) for part in get_args(kind) if part is not type(None))
    if get_origin(kind) in (list, tuple):
        return f"list of {_kind(get_args(kind)[0])}"
    if get_origin(kind) is dict:
        return "table"
    return {str: "string", int: "number", float: "number", bool: "bool", Seconds: "duration", Bytes: "size"}[kind]


def anchor(heading: str) -> str:
    """What GitHub and the site make of a heading."""
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")


def _item(text: str) -> str:
    return textwrap.fill(text, WIDTH, initial_indent="- ", subsequent_indent="  ", break_on_hyphens=False)


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", r"\|")
