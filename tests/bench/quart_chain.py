"""What a Python team would write: a proxy in Quart with log, authentication and header as its
middleware.
"""

from __future__ import annotations

import hmac
import json
import logging
import os
import sys
import time
import uuid

import aiohttp
from quart import Quart, Response, g, request

KEYS = {"demo-key": "demo"}
UPSTREAM = os.environ["UPSTREAM"]
HOP_BY_HOP = frozenset(
    ("connection", "keep-alive", "proxy-connection", "te", "trailer", "transfer-encoding", "upgrade", "host")
)

app = Quart(__name__)
access = logging.getLogger("access")
access.setLevel(logging.INFO)
access.propagate = False
_handler = logging.StreamHandler(sys.stdout)
_handler.setFormatter(logging.Formatter("%(asctime)s %(message)s"))
access.addHandler(_handler)
client: aiohttp.ClientSession


@app.before_serving
async def connect() -> None:
    global client
    client = aiohttp.ClientSession(auto_decompress=False, connector=aiohttp.TCPConnector(limit=0))


@app.after_serving
async def disconnect() -> None:
    await client.close()


@app.before_request
async def begin() -> None:
    g.started = time.perf_counter()
    g.request_id = uuid.uuid4().hex
    g.headers = [(name, value) for name, value in request.headers.items() if name.lower() not in HOP_BY_HOP]


@app.before_request
async def authenticate() -> Response | None:
    sent = request.headers.getlist("x-api-key")
    if not sent:
        challenge = {"content-type": "application/json", "www-authenticate": 'ApiKey realm="sentinel"'}
        return Response('{"error":"an API key is required"}', 401, challenge)
    principals = [principal for key, principal in KEYS.items() if hmac.compare_digest(key, sent[0])]
    if len(sent) > 1 or not principals:
        return Response('{"error":"this API key is not accepted"}', 403, {"content-type": "application/json"})
    dropped = ("x-api-key", "x-principal")
    g.headers = [(name, value) for name, value in g.headers if name.lower() not in dropped]
    g.headers.append(("x-principal", principals[0]))
    return None


@app.before_request
async def inject() -> None:
    g.headers.append(("x-gateway", "sentinel"))


@app.after_request
async def log(response: Response) -> Response:
    line = {
        "method": request.method,
        "path": request.path,
        "status": response.status_code,
        "bytes": response.content_length,
        "duration_us": int((time.perf_counter() - g.started) * 1e6),
        "request_id": g.request_id,
        "client": request.remote_addr,
    }
    access.info(json.dumps(line))
    return response


@app.route("/", defaults={"path": ""}, methods=["GET", "POST", "PUT", "DELETE", "PATCH"])
@app.route("/<path:path>", methods=["GET", "POST", "PUT", "DELETE", "PATCH"])
async def proxy(path: str) -> Response:
    headers = [*g.headers, ("x-forwarded-for", request.remote_addr or ""), ("x-request-id", g.request_id)]
    target = UPSTREAM + request.full_path.rstrip("?")
    body = await request.get_data()
    async with client.request(request.method, target, headers=headers, data=body or None) as answer:
        kept = [(name, value) for name, value in answer.headers.items() if name.lower() not in HOP_BY_HOP]
        response = Response(await answer.read(), answer.status)
    response.headers.clear()
    response.headers.extend(kept)
    return response
