"""``sentinel dev``: what a gateway for a guest that is being written tells its author."""

from __future__ import annotations

import argparse
import asyncio
import json
import logging
import signal
from dataclasses import asdict
from pathlib import Path

import uvloop

from sentinel_host.authoring.dev import DevOptions, Told, develop
from sentinel_host.authoring.observed import Exchange
from sentinel_host.authoring.paint import Paint
from sentinel_host.authoring.project import find_project
from sentinel_host.authoring.report import GuestReport
from sentinel_host.sandbox import GuestLines
from sentinel_host.sandbox.text import readable

_STYLES = {"error": "red", "warn": "yellow", "warning": "yellow"}


def dev(options: argparse.Namespace) -> int:
    """Serve until a signal ends it. Raises `SentinelError` when there can be no gateway."""
    project = find_project(Path(options.directory))
    told: Told = _Json() if options.json else _People(Paint.of())
    logging.basicConfig(level=logging.WARNING, handlers=[_Handler(told)])

    async def serve() -> None:
        stop, loop = asyncio.Event(), asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, stop.set)
        await develop(project, DevOptions(options.bind, options.upstream), told, stop)

    uvloop.run(serve())
    return 0


class _Handler(logging.Handler):
    """What the gateway itself has to say: a guest's failure with its frames, above all."""

    def __init__(self, told: Told) -> None:
        super().__init__()
        self._told = told

    def emit(self, record: logging.LogRecord) -> None:
        """Part of `logging.Handler`."""
        self._told.remark(record.levelname.lower(), record.getMessage())


class _People:
    """For a terminal."""

    def __init__(self, paint: Paint) -> None:
        self._paint = paint

    def building(self, name: str) -> None:
        self._print("dim", f"building {name}")

    def built(self, report: GuestReport, seconds: float) -> None:
        grants = f", grants {', '.join(report.grants)}" if report.grants else ""
        told = f"built in {seconds:.1f} s: {', '.join(report.hooks)}{grants}, {report.size:,} bytes"
        self._print("green", told)

    def failed(self, reason: str, *, serves: bool) -> None:
        self._print("red", readable_lines(reason))
        self._print("yellow", "the guest of before goes on" if serves else "nothing serves yet: waiting for an edit")

    def serving(self, url: str, configuration: str) -> None:
        self._print("dim", f"for a gateway's configuration:\n\n{configuration}")
        self._print("bold", f"serving {url}  (Ctrl-C ends it)")

    def swapped(self) -> None:
        self._print("green", "the new guest serves")

    def exchange(self, exchange: Exchange) -> None:
        status = exchange.status
        style = "green" if status < 400 else "yellow" if status < 500 else "red"
        head = f"{exchange.method} {exchange.target}"
        told = f"{status}, of the {exchange.origin}, {exchange.milliseconds:.1f} ms"
        print(f"{self._paint('cyan', _safe(head))}  {self._paint(style, told)}", flush=True)
        for line in exchange.edits:
            print(f"    {_safe(line)}", flush=True)

    def lines(self, lines: GuestLines, dropped: int) -> None:
        for line in lines:
            self._print(_STYLES.get(line.level, "dim"), f"    {line.level:5} {line.message}")

    def remark(self, level: str, message: str) -> None:
        self._print(_STYLES.get(level, "dim"), readable_lines(message))

    def _print(self, style: str, text: str) -> None:
        print(self._paint(style, text), flush=True)


class _Json:
    """For programs: one object a line."""

    def building(self, name: str) -> None:
        self._print("building", name=name)

    def built(self, report: GuestReport, seconds: float) -> None:
        self._print("built", seconds=round(seconds, 3), **report.fields())

    def failed(self, reason: str, *, serves: bool) -> None:
        self._print("failed", reason=reason, serves=serves)

    def serving(self, url: str, configuration: str) -> None:
        self._print("serving", url=url, configuration=configuration)

    def swapped(self) -> None:
        self._print("swapped")

    def exchange(self, exchange: Exchange) -> None:
        self._print("request", **asdict(exchange))

    def lines(self, lines: GuestLines, dropped: int) -> None:
        for line in lines:
            self._print("log", level=line.level, request_id=line.request_id, message=line.message)

    def remark(self, level: str, message: str) -> None:
        self._print("gateway", level=level, message=message)

    def _print(self, event: str, **fields: object) -> None:
        print(json.dumps({"event": event, **fields}), flush=True)


def readable_lines(text: str) -> str:
    """Text of several lines, without what would control the terminal."""
    return "\n".join(map(_safe, text.splitlines()))


def _safe(text: str) -> str:
    return readable(text.encode())
