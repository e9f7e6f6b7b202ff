"""What a request's head says, by whichever parser."""

from __future__ import annotations


class ParsedHead:
    """A parsed head: ``target`` as sent, ``headers`` with lower-case names, and what `framing` says
    of them.

    ``upgrade`` is the one protocol that the client would change to, in lower case, or empty.
    """

    __slots__ = ("close", "expects", "headers", "length", "target", "upgrade")

    def __init__(
        self,
        target: bytes,
        headers: list[tuple[bytes, bytes]],
        length: int,
        close: bool,
        expects: bool,
        upgrade: bytes,
    ) -> None:
        self.target = target
        self.headers = headers
        self.length = length
        self.close = close
        self.expects = expects
        self.upgrade = upgrade
