"""Environment variables in the strings of a configuration.

``${NAME}`` stands for a variable, ``${NAME:-DEFAULT}`` for one that may be unset or empty, and
``$${`` for ``${``. Keys and comments are left as they are, and so is what a variable holds: it is
not read again.

Rule 1: a variable that is not set is refused, with the key that asks for it.
Rule 2: a variable may hold a secret, so no message repeats one: it names the variable.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

from sentinel_host.errors import ConfigError

# The escape comes first: in ``$${NAME}`` there is no variable.
_PART: Final = re.compile(r"\$\$\{|\$\{(?:([A-Za-z_][A-Za-z0-9_]*)(?::-((?:(?!\$\{)[^}])*))?\})?")
_BARE_KEY: Final = re.compile(r"[A-Za-z0-9_-]+").fullmatch
_QUOTED: Final = re.compile(r"'(?:[^'\\]|\\.)*'")
# A shorter value is no secret, and may be a part of any message.
_SHORTEST_SECRET: Final = 4


class Environment:
    """Replaces the variables in one configuration, and hides their values in what is said of it.

    ``file`` is named in errors.
    """

    def __init__(self, file: str, variables: Mapping[str, str]) -> None:
        self._file = file
        self._variables = variables
        self._values: dict[str, str] = {}
        self._written: dict[str, str] = {}

    def fill(self, data: dict[str, Any]) -> dict[str, Any]:
        """The configuration's tables with every variable replaced. Raises `ConfigError`."""
        return {key: self._fill(value, dotted("", key)) for key, value in data.items()}

    @property
    def written(self) -> dict[str, str]:
        """The texts that held variables, as they are written, by their key paths."""
        return dict(self._written)

    def hide(self, error: ConfigError) -> ConfigError:
        """The error as it may be told: with the names of variables instead of what they hold."""
        file, message = f"{self._file}: ", str(error).removeprefix(f"{self._file}: ")
        for key, written in self._written.items():
            if message.startswith((f"{key}:", f"{key}.", f"{key}[")):
                # What is quoted of the value at fault may be a part of it.
                told = repr(written).replace("\\", "\\\\")
                message = key + _QUOTED.sub(told, message[len(key) :])
        # A key is written in the file, and no secret, whatever it has in common with one.
        at, colon, reason = message.partition(": ")
        for value in sorted(self._values, key=len, reverse=True):
            # As it is, and as it is within a text that is quoted in either way.
            for form in (value, repr(value)[1:-1], repr("'\"" + value)[4:-1]):
                reason = reason.replace(form, f"${{{self._values[value]}}}")
        return ConfigError(file + at + colon + reason)

    def _fill(self, value: Any, at: str) -> Any:
        if isinstance(value, str):
            return self._text(value, at) if "${" in value else value
        if isinstance(value, dict):
            return {key: self._fill(item, dotted(at, key)) for key, item in value.items()}
        if isinstance(value, list):
            return [self._fill(item, f"{at}[{index}]") for index, item in enumerate(value)]
        return value

    def _text(self, text: str, at: str) -> str:
        def replaced(match: re.Match[str]) -> str:
            name, default = match.groups()
            if name is not None:
                return self._value(name, default, at)
            if match[0] == "$${":
                return "${"
            raise ConfigError(f"{self._file}: {at}: expected ${{NAME}}, ${{NAME:-DEFAULT}}, or $${{ for ${{ itself")

        filled = _PART.sub(replaced, text)
        if filled != text:
            self._written[at] = text
        return filled

    def _value(self, name: str, default: str | None, at: str) -> str:
        value = self._variables.get(name)
        if value is None or (not value and default is not None):
            if default is None:
                raise ConfigError(f"{self._file}: {at}: the environment variable {name} is not set")
            return default
        try:
            value.encode()
        except UnicodeEncodeError:
            raise ConfigError(f"{self._file}: {at}: the environment variable {name} is not UTF-8") from None
        if len(value) >= _SHORTEST_SECRET:
            self._values[value] = name
        return value


def dotted(at: str, key: str) -> str:
    """The key path of what ``key`` names in the table at ``at``, as errors have it."""
    written = key if _BARE_KEY(key) else repr(key)
    return f"{at}.{written}" if at else written
