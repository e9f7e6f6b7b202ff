"""Text from outside, made safe for one line of a log or of an error."""

from __future__ import annotations

from typing import Final

# Printable ASCII.
_PLAIN: Final = bytes(range(0x20, 0x7F))
# Long enough for any name that a compiler makes. A hostile file may contain names of megabytes.
_NAME_MAX = 300


def readable(message: bytes) -> str:
    """A message's bytes as text: bytes that are not UTF-8 become U+FFFD, what is not printable
    becomes an escape.
    """
    if not message.translate(None, _PLAIN):
        return message.decode("ascii")
    return escape(message.decode(errors="replace"))


def escape(text: str) -> str:
    """Text without line ends, terminal controls and invisible characters: each is written as an
    escape.
    """
    if text.isprintable():
        return text
    return "".join(
        character if character.isprintable() else character.encode("unicode_escape").decode() for character in text
    )


def one_line(text: str) -> str:
    """Text for an error: escaped, and shortened in the middle when it is very long."""
    if len(text) > _NAME_MAX:
        half = _NAME_MAX // 2
        text = f"{text[:half]} … {text[-half:]}"
    return escape(text)
