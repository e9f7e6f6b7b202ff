"""``sentinel new`` and ``sentinel build``: a guest's project, and its file."""

from __future__ import annotations

import argparse
import json
import sys
import time
from pathlib import Path

from sentinel_host.authoring.project import LANGUAGES, create_project, find_project
from sentinel_host.errors import SentinelError


def new(options: argparse.Namespace) -> int:
    """Write a project, and say what to do next. Raises `ConfigError`."""
    project = create_project(Path(options.name), LANGUAGES[options.language])
    if options.json:
        files = sorted(str(path.relative_to(project.folder)) for path in project.folder.rglob("*") if path.is_file())
        print(json.dumps({"name": project.name, "language": options.language, "files": files}))
        return 0
    print(f"{project.folder}: a guest in {options.language}. Next:")
    print(f"  cd {project.folder}")
    print("  sentinel build    # compiles it")
    print("  sentinel test     # runs its tests")
    print("  sentinel dev      # serves it, and follows your edits")
    return 0


def build(options: argparse.Namespace) -> int:
    """Build the project's guest, and print what it is; 1 after the compiler's message if it cannot
    be built.

    Raises `SentinelError` with what is missing.
    """
    # The engine takes a while to load, and is needed only if the project builds.
    started = time.monotonic()
    project = find_project(Path(options.directory))
    if not options.json:
        print(f"building {project.name}, in {project.language.name}", file=sys.stderr)
    try:
        project.build(debug=options.debug)
        seconds = time.monotonic() - started
        from sentinel_host.authoring.report import describe

        signed = _sign(project.file, project.name, options) if options.sign else None
        report = describe(project.file)
    except SentinelError as error:
        if options.json:
            print(json.dumps({"error": str(error)}))
            return 1
        raise
    if options.json:
        print(json.dumps(report.fields() | {"seconds": round(seconds, 3), "signed": signed}))
        return 0
    print(f"{project.file}  ({seconds:.1f} s)\n{report}")
    if signed is not None:
        print(f"  {'signed':10} as {signed['name']}, version {signed['version']}, by key {signed['key']}")
    return 0


def _sign(file: Path, name: str, options: argparse.Namespace) -> dict[str, object]:
    from sentinel_host.cli.sign import sign_file

    # The time as a version: both only grow.
    version = int(time.time()) if options.version is None else options.version
    return {"name": name, "version": version, "key": sign_file(file, name, version, Path(options.sign))}
