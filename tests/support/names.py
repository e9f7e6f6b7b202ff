"""A name service that knows what a test says."""

from __future__ import annotations

from sentinel_host.net import Names, UnresolvedName
from sentinel_host.net.names import Found


class KnownNames(Names):
    """``known`` holds the addresses of each name, in the order in which they are preferred;
    ``asked`` what was asked.

    Other names do not exist.
    """

    def __init__(self, known: dict[str, list[str]]) -> None:
        super().__init__()
        self.known = known
        self.asked: list[str] = []

    async def look_up(self, host: str) -> Found:
        self.asked.append(host)
        if host not in self.known:
            raise UnresolvedName("no such name", negative=True)
        return Found(list(self.known[host]), 0)
