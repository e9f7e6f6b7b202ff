"""Guests and instances that a test starts at once, whether or not an event loop runs where it
stands.
"""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import functools
import hashlib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from sentinel_host.hotload.cache import Cache, default_directory
from sentinel_host.native import CallFailed, NativeGuest, Plan, Suspension
from sentinel_host.sandbox import GuestMiddleware, Limits, LoadedGuest, compile_guest
from sentinel_host.sandbox.artefact import read_artefact
from sentinel_host.sandbox.compiled import CompiledGuest
from sentinel_host.sandbox.instance import Blueprint, guest_error
from sentinel_host.sandbox.limits import default_limits
from sentinel_host.sandbox.load import NO_CONFIG
from tests.support.clocks import PATIENCE


def patient_limits(file: Path) -> Limits:
    """Those of a guest's language, but for its deadlines: a busy machine takes the processor away
    in the middle of a call, and that time counts.
    """
    limits = default_limits(read_artefact(file).language)
    return dataclasses.replace(limits, deadline=PATIENCE, start_deadline=PATIENCE)


@functools.cache
def compiled(file: Path) -> CompiledGuest:
    """The guest in a file, compiled once, and kept for the next run in the tests' cache."""
    data = file.read_bytes()
    cache = Cache.open(default_directory())
    assert cache is not None
    with contextlib.closing(cache):
        kept = cache.get(hashlib.sha256(data).hexdigest())
        if kept is None:
            kept = compile_guest(data, str(file))
            cache.put(kept)
        return kept


def started(guest: LoadedGuest, config: bytes = NO_CONFIG, **options: Any) -> GuestMiddleware:
    """`LoadedGuest.start_middleware`, waited for."""

    def start() -> GuestMiddleware:
        return asyncio.run(guest.start_middleware(config, **options))

    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return start()
    with ThreadPoolExecutor(1) as threads:
        return threads.submit(start).result()


def start_instance(blueprint: Blueprint, config: bytes, plan: Plan | None = None) -> NativeGuest:
    """An instance without an event loop and without a pool. Raises `GuestError`."""
    instance = NativeGuest(plan or blueprint.new_plan())
    try:
        run_to_end(instance, instance.start(config))
    except CallFailed as failed:
        instance.close()
        raise guest_error(blueprint, "start", failed, blueprint.limits.start_deadline) from None
    return instance


def run_to_end(instance: NativeGuest, answer: bytes | Suspension | None) -> bytes | None:
    """What a call answers in the end, run without a pause. Services that it asks answer at once."""
    while isinstance(answer, Suspension):
        if instance.is_waiting:
            with contextlib.suppress(StopIteration):
                instance.ask().send(None)
        answer = instance.resume()
    return answer
