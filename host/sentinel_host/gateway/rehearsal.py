"""A request that nobody sent, through the guests of its route: what each would change.

Rule 1: the guests are those of the folder, in the engine, with the limits and the grants of the
        configuration. No gateway that runs has any part in it: keys are its own, and empty.
Rule 2: no upstream is asked. An empty response with the status 200 stands for its answer.
Rule 3: what a guest asks an HTTP service for is really asked, as far as its grant allows.
"""

from __future__ import annotations

from time import perf_counter_ns, time_ns
from typing import Any

import msgspec

from sentinel_host.config import Config
from sentinel_host.errors import ClientError
from sentinel_host.gateway.build import Builder
from sentinel_host.gateway.generation import Generation
from sentinel_host.hotload.folder_source import FolderSource
from sentinel_host.kv import SharedStore
from sentinel_host.messages import Headers, Origin, Outcome, RequestHead, ResponseHead, Summary
from sentinel_host.observe import GuestLine, HookRecord, RequestRecord
from sentinel_host.observe.changes import shown
from sentinel_host.observe.recording import Recording
from sentinel_host.observe.watched import watch_chain
from sentinel_host.pipeline import ChainRun


class Sent(msgspec.Struct, frozen=True):
    """What the upstream of this name would get, but for fields that the gateway itself adds."""

    upstream: str
    method: str
    path: str
    query: str | None
    headers: list[tuple[str, str]]


class Rehearsal(msgspec.Struct, frozen=True):
    """What became of it: ``hooks`` in the order in which they were called, and guests' ``lines``.

    ``sent`` is None where a guest answers, or the route has a response of its own. ``status`` and
    ``headers`` are the response's as the client would get it; ``origin`` tells whose it is. Values
    that are secrets are told by their size.
    """

    hooks: list[HookRecord]
    sent: Sent | None
    status: int
    origin: str
    headers: list[tuple[str, str]]
    lines: list[GuestLine]


async def rehearse(config: Config, scope: dict[str, Any]) -> Rehearsal:
    """Run the request hooks, the response hooks and the completion hooks for the request that this
    ASGI scope is.

    ``config`` has been read with its files. Raises `ConfigError` and `ClientError`.
    """
    has_keys = any("kv" in guest.grants for guest in config.guest.values())
    builder = Builder(kv=SharedStore.create(config.server.kv_memory) if has_keys else None)
    source = FolderSource(config)
    builder.names.open()
    try:
        versions, faults = await source.obtain(config.named_guests())
        generation = await builder.build(config, versions, faults)
        try:
            found = await _run(generation, scope)
        finally:
            # Waits for what guests do when the request is over.
            await builder.free(generation)
    finally:
        builder.names.close()
        await source.close()
    lines = [GuestLine(line.guest, line.level, line.message) for line in builder.engine.log.drain()[0]]
    return msgspec.structs.replace(found, lines=lines)


async def _run(generation: Generation, scope: dict[str, Any]) -> Rehearsal:
    head = generation.admission.admit(scope).head
    route = generation.routes.match(head)
    if route is None:
        raise ClientError("no route matches", 404)
    head.route = route.name
    recording = Recording(_record(head), perf_counter_ns())
    run = ChainRun(watch_chain(route.chain, recording), head.request_id, head.client)
    asked = (head.method, head.path, head.query)
    before = run.on_request(head)
    answer = None if before is None else await before
    sent = None
    if answer is not None:
        back = answer[0]
    elif route.own is not None and run.upstream is None:
        own = route.own.response(head)
        back = ResponseHead(own.status, own.headers, Origin.GATEWAY)
    else:
        upstream = run.upstream or route.upstream or (route.split.choose(head) if route.split is not None else "")
        sent = Sent(upstream, head.method, head.path, head.query, _told(head.headers))
        back = ResponseHead(200, [], Origin.UPSTREAM)
    after = run.on_response(back)
    if after is not None:
        await after
    run.close()
    run.on_complete(_summary(head, asked, back, sent.upstream if sent is not None else None))
    hooks = recording.record.hooks
    return Rehearsal(hooks, sent, back.status, Origin(back.origin).name.lower(), _told(back.headers), [])


def _told(headers: Headers) -> list[tuple[str, str]]:
    return [(name.decode("latin-1"), shown(name, value)) for name, value in headers]


def _record(head: RequestHead) -> RequestRecord:
    return RequestRecord(
        id=head.request_id,
        why="explained",
        worker=0,
        started_at=time_ns() // 1000,
        route=head.route,
        method=head.method,
        scheme=head.scheme,
        authority=head.authority,
        path=head.path,
        query=head.query,
        client=head.client,
        http_version=head.http_version,
    )


def _summary(
    head: RequestHead, asked: tuple[str, str, str | None], back: ResponseHead, upstream: str | None
) -> Summary:
    method, path, query = asked
    return Summary(
        request_id=head.request_id,
        method=method,
        path=path,
        query=query,
        route=head.route,
        authority=head.authority,
        client=head.client,
        http_version=head.http_version,
        started_at=time_ns() // 1000,
        duration=0,
        status=back.status,
        request_bytes=0,
        response_bytes=0,
        outcome=Outcome.COMPLETED,
        origin=back.origin,
        upstream=upstream,
        upstream_duration=None if upstream is None else 0,
    )
