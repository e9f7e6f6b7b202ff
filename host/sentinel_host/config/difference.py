"""What one configuration changes about another."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Literal

import msgspec

from sentinel_host.config.changes import fixed_changes
from sentinel_host.config.effective import sections, shown
from sentinel_host.config.environment import dotted
from sentinel_host.config.model import Config, RouteConfig
from sentinel_host.config.upstreams import UpstreamConfig

# Sections whose parts have names.
_NAMED = ("guest", "upstream", "route")


class Difference(msgspec.Struct, frozen=True):
    """A key whose value differs, or a guest, an upstream or a route that is ``added`` or
    ``removed``.

    Routes and upstreams are called by their names: ``route[api].timeout``. Values are as
    `sentinel_host.config.effective` shows them; of what is added, the keys that are not defaults.
    ``needs_restart`` tells that the key is read at the start only.
    """

    key: str
    kind: Literal["added", "removed", "changed"]
    before: Any = None
    after: Any = None
    needs_restart: bool = False


def differences(old: Config, new: Config) -> list[Difference]:
    """Every difference, in the order of the configuration."""
    return list(_differences(old, new))


def _differences(old: Config, new: Config) -> Iterator[Difference]:
    fixed = fixed_changes(old, new)
    compare = _Comparison(old, new)
    for section in sections(old):
        if section in _NAMED:
            continue
        for found in compare.values(section, section, section, getattr(old, section), getattr(new, section)):
            needs_restart = any(found.key == key or found.key.startswith((f"{key}.", f"{key}[")) for key in fixed)
            yield msgspec.structs.replace(found, needs_restart=needs_restart)
    names = list(dict.fromkeys((*old.guest, *new.guest)))
    places = {name: dotted("guest", name) for name in names}
    yield from compare.named(
        {name: (places[name], places[name], each) for name, each in old.guest.items()},
        {name: (places[name], places[name], each) for name, each in new.guest.items()},
    )
    yield from compare.named(_places("upstream", old.upstream), _places("upstream", new.upstream))
    yield from compare.named(_places("route", old.route), _places("route", new.route))
    for path in sorted(old.files.keys() & new.files.keys()):
        if old.files[path] != new.files[path]:
            yield Difference(path, "changed", "the file's content before", "its content now")


# The path of a key, how people are told it, and what stands there.
_Place = tuple[str, str, msgspec.Struct]


def _places(section: str, found: Sequence[UpstreamConfig | RouteConfig]) -> dict[str, _Place]:
    """By name: a route's is its path where it has no other."""
    named = (
        (index, each.name or (each.path if isinstance(each, RouteConfig) else ""), each)
        for index, each in enumerate(found)
    )
    return {name: (f"{section}[{index}]", f"{section}[{name}]", each) for index, name, each in named}


class _Comparison:
    def __init__(self, old: Config, new: Config) -> None:
        self._old = old
        self._new = new

    def named(self, before: dict[str, _Place], after: dict[str, _Place]) -> Iterator[Difference]:
        """Parts that have names, by them."""
        for name in dict.fromkeys((*before, *after)):
            if name not in after:
                key, told, value = before[name]
                yield Difference(told, "removed", before=_chosen(shown(self._old, key, value), value))
            elif name not in before:
                key, told, value = after[name]
                yield Difference(told, "added", after=_chosen(shown(self._new, key, value), value))
            else:
                (old_key, _, was), (new_key, told, now) = before[name], after[name]
                yield from self.structs(told, old_key, new_key, was, now)

    def structs(self, told: str, old_key: str, new_key: str, was: Any, now: Any) -> Iterator[Difference]:
        """Two structs of one type, key by key."""
        for name in was.__struct_fields__:
            yield from self.values(
                f"{told}.{name}", f"{old_key}.{name}", f"{new_key}.{name}", getattr(was, name), getattr(now, name)
            )

    def values(self, told: str, old_key: str, new_key: str, was: Any, now: Any) -> Iterator[Difference]:
        """Two values of one key."""
        if was == now:
            return
        if isinstance(was, msgspec.Struct) and type(was) is type(now):
            yield from self.structs(told, old_key, new_key, was, now)
        else:
            yield Difference(told, "changed", shown(self._old, old_key, was), shown(self._new, new_key, now))


def _chosen(told: dict[str, Any], value: msgspec.Struct) -> dict[str, Any]:
    """The keys that somebody has chosen: those that are not defaults."""
    defaults = {field.name: field for field in msgspec.structs.fields(value)}
    return {
        name: each
        for name, each in told.items()
        if defaults[name].required
        or getattr(value, name)
        != (
            defaults[name].default
            if defaults[name].default is not msgspec.NODEFAULT
            else defaults[name].default_factory()
        )
    }
