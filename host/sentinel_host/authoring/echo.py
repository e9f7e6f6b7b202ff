"""An upstream that answers with what it was asked, as text: an ASGI application."""

from __future__ import annotations

from typing import Any

# Of a body as much as fits a screen.
_MOST = 2048


async def echo(scope: Any, receive: Any, send: Any) -> None:
    """One request, or the lifespan."""
    if scope["type"] == "lifespan":
        while True:
            message = await receive()
            await send({"type": f"{message['type']}.complete"})
            if message["type"] == "lifespan.shutdown":
                return
    if scope["type"] != "http":
        return
    body, length = b"", 0
    while True:
        message = await receive()
        if message["type"] != "http.request":
            return
        piece = message.get("body", b"")
        length += len(piece)
        body += piece[: _MOST - len(body)]
        if not message.get("more_body"):
            break
    query = b"?" + scope["query_string"] if scope["query_string"] else b""
    lines = [f"{scope['method']} ".encode() + scope["raw_path"] + query]
    lines += [name + b": " + value for name, value in scope["headers"]]
    answer = b"\n".join(lines) + b"\n"
    if length:
        answer += b"\n" + body + (b"" if length <= _MOST else f"\n[{length} bytes]".encode()) + b"\n"
    headers = [(b"content-type", b"text/plain; charset=utf-8"), (b"content-length", b"%d" % len(answer))]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": answer})
