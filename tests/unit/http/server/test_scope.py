"""The scope of a request, of which a connection's builder keeps what the requests have in common."""

from __future__ import annotations

from sentinel_host.http.server.connections import EMPTY_QUERY, Listener
from sentinel_host.http.server.scope import ScopeBuilder


async def _answer_nothing(scope: object, receive: object, send: object) -> None:
    raise AssertionError("nobody asks")


def test_each_target_of_a_connection_is_taken_apart_by_itself() -> None:
    builder = ScopeBuilder(("192.0.2.1", 1), ("192.0.2.2", 2), "http")
    listener = Listener("public", _answer_nothing)
    extensions = listener.extensions()
    # Twice, so that each comes after every other one.
    for target, path, raw_path, query, is_empty in 2 * (
        (b"/a?b=c", "/a", b"/a", b"b=c", False),
        (b"/a", "/a", b"/a", b"", False),
        (b"/%41?x?y=%41?", "/A", b"/%41", b"x?y=%41?", False),
        (b"/?", "/", b"/", b"", True),
        (b"/b", "/b", b"/b", b"", False),
        (b"*", "*", b"*", b"", False),
    ):
        scope = builder.request(listener, "2", "GET", target, [], extensions)
        assert (scope["path"], scope["raw_path"], scope["query_string"]) == (path, raw_path, query)
        assert (EMPTY_QUERY in scope["extensions"]) == is_empty
        scope["state"]["left"] = True
    assert "left" not in builder.request(listener, "2", "GET", b"/", [], extensions)["state"]
