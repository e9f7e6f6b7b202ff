"""WebAssembly's text format, by the engine's own parser, for tools that write small modules."""

from __future__ import annotations

from wasmtime import wat2wasm


def assemble(text: str) -> bytes:
    """The binary of a module in the text format. The text is a tool's own: a mistake in it is a
    bug.
    """
    return bytes(wat2wasm(text))


def quoted(text: str) -> str:
    """A name as a string of the text format, whatever is in it."""
    return '"' + "".join(f"\\{byte:02x}" for byte in text.encode()) + '"'
