"""What the configurations of these tests have in common."""

from __future__ import annotations


def with_one_route(*, server: str, guests: str, target: str, chain: str, route: str = "") -> str:
    """A configuration's text: all ports are whichever is free, and one route leads to ``target``.

    ``server`` and ``route`` are more keys of theirs, ``guests`` whole tables, ``chain`` names in
    quotes.
    """
    return f"""
[server]
bind = ["127.0.0.1:0"]
admin = "127.0.0.1:0"
{server}

{guests}

[[upstream]]
name = "origin"
targets = ["{target}"]

[[route]]
{route}
path = "/"
upstream = "origin"
chain = [{chain}]
"""
