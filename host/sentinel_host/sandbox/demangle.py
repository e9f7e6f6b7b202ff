"""Names of Rust functions, as compilers mangle them for linkers, made readable.

Rule 1: a name that cannot be parsed is returned as it is: a guest's file may contain anything.
Rule 2: steps and depth are bounded, because a back reference may repeat what holds back references
        itself.

Sources: RFC 2603 for names with ``_R``; the legacy scheme (``_ZN`` … ``E``) is what rustc's
``rustc_symbol_mangling::legacy`` writes.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import lru_cache
from typing import Final

_LENGTH_MAX: Final = 4096
_STEPS_MAX: Final = 1000
_DEPTH_MAX: Final = 64

_HASH: Final = re.compile(r"h[0-9a-f]{16}")
_ESCAPE: Final = re.compile(r"\$(\w+)\$|\.\.")
_ESCAPES: Final = {"SP": "@", "BP": "*", "RF": "&", "LT": "<", "GT": ">", "LP": "(", "RP": ")", "C": ","}
_BASIC: Final = {
    **{"a": "i8", "b": "bool", "c": "char", "d": "f64", "e": "str", "f": "f32", "h": "u8", "i": "isize", "j": "usize"},
    **{"l": "i32", "m": "u32", "n": "i128", "o": "u128", "p": "_", "s": "i16", "t": "u16", "u": "()", "v": "..."},
    **{"x": "i64", "y": "u64", "z": "!"},
}
_SIGNED: Final = frozenset("ailnsx")
_DIGITS: Final = {
    digit: value for value, digit in enumerate("0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ")
}


@lru_cache(maxsize=256)
def demangle(name: str) -> str:
    """Such as ``<alloc::string::String as core::fmt::Write>::write_str``; without hashes."""
    if len(name) > _LENGTH_MAX or not name.isascii():
        return name
    try:
        if name.startswith("_ZN"):
            return _legacy(name)
        if name.startswith("_R"):
            return _Parser(name[2:]).symbol()
    except (ValueError, IndexError, OverflowError):
        pass
    return name


def _legacy(name: str) -> str:
    parts = []
    at = 3
    while name[at] != "E":
        begin = at
        while name[at].isdigit():
            at += 1
        length = int(name[begin:at])
        part = name[at : at + length]
        if len(part) != length:
            raise ValueError("a part is cut off")
        at += length
        parts.append(part)
    if len(parts) > 1 and _HASH.fullmatch(parts[-1]):
        parts.pop()
    return "::".join(_ESCAPE.sub(_unescaped, part.removeprefix("_") if part[:2] == "_$" else part) for part in parts)


def _unescaped(match: re.Match[str]) -> str:
    code = match[1]
    if code is None:
        return "::"
    if code[0] == "u":
        character = chr(int(code[1:], 16))
        return character if character.isprintable() else match[0]
    return _ESCAPES.get(code, match[0])


class _Parser:
    """Reads RFC 2603's grammar, a method for each rule."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._at = 0
        self._steps = _STEPS_MAX
        self._depth = 0

    def symbol(self) -> str:
        if self._peek().isdigit():
            raise ValueError("an encoding of the future")
        # After the path come the instantiating crate and suffixes of linkers.
        return self._path()

    def _peek(self) -> str:
        return self._text[self._at : self._at + 1]

    def _take(self) -> str:
        self._at += 1
        return self._text[self._at - 1]

    def _has(self, tag: str) -> bool:
        if self._peek() != tag:
            return False
        self._at += 1
        return True

    def _enter(self) -> None:
        self._steps -= 1
        self._depth += 1
        if not self._steps or self._depth > _DEPTH_MAX:
            raise ValueError("too much")

    def _number(self) -> int:
        """Base 62, ended by an underscore, which alone is 0."""
        if self._has("_"):
            return 0
        value = 0
        while not self._has("_"):
            value = value * 62 + _DIGITS.get(self._take(), 62)
            if value >= 1 << 64:
                raise ValueError("a number is too large")
        return value + 1

    def _optional(self, tag: str) -> int:
        return self._number() + 1 if self._has(tag) else 0

    def _plain(self) -> str:
        punycode = self._has("u")
        length = int(self._take())
        while length and self._peek().isdigit():
            length = length * 10 + int(self._take())
            if length > _LENGTH_MAX:
                raise ValueError("an identifier is too long")
        self._has("_")
        found = self._text[self._at : self._at + length]
        if len(found) != length:
            raise ValueError("an identifier is cut off")
        self._at += length
        if not punycode:
            return found
        basic, _, extended = found.rpartition("_")
        return (f"{basic}-{extended}" if basic else extended).encode().decode("punycode")

    def _path(self) -> str:
        self._enter()
        tag = self._take()
        if tag == "C":
            self._optional("s")
            found = self._plain()
        elif tag == "M":
            self._impl_path()
            found = f"<{self._type()}>"
        elif tag == "X":
            self._impl_path()
            found = self._as_trait()
        elif tag == "Y":
            found = self._as_trait()
        elif tag == "N":
            found = self._nested()
        elif tag == "I":
            found = f"{self._path()}<{', '.join(self._list(self._argument))}>"
        elif tag == "B":
            found = self._again(self._path)
        else:
            raise ValueError("not a path")
        self._depth -= 1
        return found

    def _impl_path(self) -> None:
        self._optional("s")
        self._path()

    def _as_trait(self) -> str:
        subject = self._type()
        return f"<{subject} as {self._path()}>"

    def _nested(self) -> str:
        namespace = self._take()
        path = self._path()
        number = self._optional("s")
        name = self._plain()
        if namespace.islower():
            return f"{path}::{name}" if name else path
        kind = {"C": "closure", "S": "shim"}.get(namespace, namespace)
        return f"{path}::{{{kind}{':' if name else ''}{name}#{number}}}"

    def _list(self, rule: Callable[[], str]) -> list[str]:
        found = []
        while not self._has("E"):
            found.append(rule())
        return found

    def _again(self, rule: Callable[[], str]) -> str:
        """A back reference: read again from an earlier position."""
        begin = self._at - 1
        target = self._number()
        if target >= begin:
            raise ValueError("a reference forward")
        behind, self._at = self._at, target
        found = rule()
        self._at = behind
        return found

    def _argument(self) -> str:
        if self._has("L"):
            self._number()
            return "'_"
        return self._const() if self._has("K") else self._type()

    def _type(self) -> str:
        self._enter()
        tag = self._peek()
        if tag in _BASIC:
            self._at += 1
            found = _BASIC[tag]
        elif tag in "CMXYNI":
            found = self._path()
        else:
            self._at += 1
            found = self._compound(tag)
        self._depth -= 1
        return found

    def _compound(self, tag: str) -> str:
        if tag == "A":
            element = self._type()
            return f"[{element}; {self._const()}]"
        if tag == "S":
            return f"[{self._type()}]"
        if tag == "T":
            elements = self._list(self._type)
            return f"({elements[0]},)" if len(elements) == 1 else f"({', '.join(elements)})"
        if tag in "RQ":
            if self._has("L"):
                self._number()
            return f"&{'mut ' if tag == 'Q' else ''}{self._type()}"
        if tag in "PO":
            return f"*{'const' if tag == 'P' else 'mut'} {self._type()}"
        if tag == "F":
            return self._function()
        if tag == "D":
            return self._dynamic()
        if tag == "B":
            return self._again(self._type)
        raise ValueError("not a type")

    def _function(self) -> str:
        self._optional("G")
        unsafe = "unsafe " if self._has("U") else ""
        abi = ""
        if self._has("K"):
            abi = 'extern "C" ' if self._has("C") else f'extern "{self._plain().replace("_", "-")}" '
        parameters = ", ".join(self._list(self._type))
        result = self._type()
        return f"{unsafe}{abi}fn({parameters})" + (f" -> {result}" if result != "()" else "")

    def _dynamic(self) -> str:
        self._optional("G")
        traits = " + ".join(self._list(self._trait))
        if not self._has("L"):
            raise ValueError("a trait object without a lifetime")
        self._number()
        return f"dyn {traits}"

    def _trait(self) -> str:
        path = self._path()
        bound = []
        while self._has("p"):
            name = self._plain()
            bound.append(f"{name} = {self._type()}")
        if not bound:
            return path
        return f"{path[:-1]}, {', '.join(bound)}>" if path.endswith(">") else f"{path}<{', '.join(bound)}>"

    def _const(self) -> str:
        self._enter()
        tag = self._take()
        if tag == "B":
            found = self._again(self._const)
        elif tag == "p":
            found = "_"
        else:
            found = self._value(tag)
        self._depth -= 1
        return found

    def _value(self, tag: str) -> str:
        """Of integers, bool and char, which are all that stable Rust has."""
        negative = tag in _SIGNED and self._has("n")
        end = self._text.index("_", self._at)
        value = int(self._text[self._at : end] or "0", 16)
        self._at = end + 1
        if tag == "b" and value < 2:
            return "true" if value else "false"
        if tag == "c":
            return repr(chr(value))
        if _BASIC.get(tag, "_")[0] not in "iu":
            raise ValueError("a constant of another type")
        return f"{'-' if negative else ''}{value}"
