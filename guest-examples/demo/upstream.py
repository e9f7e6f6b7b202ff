"""A sample upstream: says what it was asked, hashes what it is sent, and sends as much as it is
asked for.

``python upstream.py 127.0.0.1:9000`` serves until it is ended; port 0 takes a free one, which the
first line of output tells.
"""

from __future__ import annotations

import asyncio
import hashlib
import sys
from collections.abc import AsyncIterator
from typing import Any

from hypercorn.asyncio import serve
from hypercorn.config import Config
from quart import Quart, Response, request

BLOCK = bytes(range(256)) * 256

app = Quart("sample upstream", static_folder=None)
app.config["MAX_CONTENT_LENGTH"] = None
app.config["BODY_TIMEOUT"] = None
app.config["RESPONSE_TIMEOUT"] = None


@app.route("/upload", methods=["POST", "PUT"])
async def upload() -> dict[str, Any]:
    """The SHA-256 and the length of the body."""
    digest, length = hashlib.sha256(), 0
    async for chunk in request.body:
        digest.update(chunk)
        length += len(chunk)
    return {"sha256": digest.hexdigest(), "bytes": length}


@app.get("/download/<int:mib>")
async def download(mib: int) -> Response:
    """That many MiB of a known pattern, chunked."""

    async def blocks() -> AsyncIterator[bytes]:
        for _ in range(mib * (1 << 20) // len(BLOCK)):
            yield BLOCK

    return Response(blocks(), content_type="application/octet-stream")


@app.route("/", defaults={"path": ""}, methods=["GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"])
@app.route("/<path:path>", methods=["GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"])
async def echo(path: str) -> dict[str, Any]:
    """What was asked: method, path, query, header fields in order, and the body's length."""
    return {
        "method": request.method,
        "path": request.path,
        "query": request.query_string.decode("latin-1"),
        "headers": [[name.lower(), value] for name, value in request.headers if name != "Remote-Addr"],
        "bytes": len(await request.get_data()),
    }


def main() -> None:
    config = Config()
    config.bind = [sys.argv[1]]
    config.accesslog = None
    config.errorlog = None
    (socket,) = config.create_sockets().insecure_sockets
    socket.listen()
    config.bind = [f"fd://{socket.fileno()}"]
    host, port = socket.getsockname()[:2]
    print(f"{host}:{port}", flush=True)
    asyncio.run(serve(app, config))


if __name__ == "__main__":
    main()
