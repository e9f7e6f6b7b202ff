from __future__ import annotations

import re
import runpy
import shutil
import subprocess
import sys
import zipfile
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path

import pytest

from guestbuild.places import REPOSITORY


def run(*command: str | Path, cwd: Path) -> None:
    done = subprocess.run(command, cwd=cwd, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_a_wheel_made_from_the_source_archive_is_whole(tmp_path: Path) -> None:
    """Every file of the package, the compiled module, the command: a working tree would hide what the archive lacks."""
    source, out = tmp_path / "source", tmp_path / "out"
    products = shutil.ignore_patterns("*.so", "*.egg-info", "__pycache__", "node_modules", "target")
    for name in ("host", "sdk", "wit"):
        shutil.copytree(REPOSITORY / name, source / name, ignore=products)
    for name in ("pyproject.toml", "setup.py", "LICENSE", "README.md"):
        shutil.copy(REPOSITORY / name, source)
    run(sys.executable, "-c", f"from setuptools import build_meta; build_meta.build_sdist({str(out)!r})", cwd=source)
    (archive,) = out.glob("sentinel_host-*.tar.gz")
    build = (sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation", "--wheel-dir", out)
    # What mypyc adds is looked at in the package that these tests run on: to compile it again takes a minute.
    run("env", "SENTINEL_COMPILE=0", *build, archive, cwd=tmp_path)

    (wheel,) = out.glob("sentinel_host-*.whl")
    with zipfile.ZipFile(wheel) as content:
        metadata, names = set(), set()
        for name in content.namelist():
            (metadata if ".dist-info/" in name else names).add(name)
        (entry_points,) = (name for name in metadata if name.endswith("/entry_points.txt"))
        assert content.read(entry_points).decode().split("\n")[:2] == [
            "[console_scripts]",
            "sentinel = sentinel_host.__main__:main",
        ]
    compiled = {name for name in names if name.endswith(".so")}
    modules = {
        f"sentinel_host/{name}"
        for name in (
            "fields/_fields",
            "http/client/_pending",
            "kv/_store",
            "limiter/_check",
            "limiter/_table",
            "native/_calls",
            "native/_native",
            "upstream/_endpoints",
        )
    }
    assert {name.split(".")[0] for name in compiled} == modules
    host = source / "host"
    package = {str(path.relative_to(host)) for path in (host / "sentinel_host").rglob("*") if path.is_file()}
    sdk = {name for name in names if name.startswith("sentinel_host/_sdk/")}
    assert names - compiled - sdk == package
    assert sdk == expected_sdk()


def expected_sdk() -> set[str]:
    """What the wheel must have of the SDKs and the contract: all but what develops and tests the SDKs themselves."""
    listed = subprocess.run(
        ("git", "ls-files", "sdk", "wit"), cwd=REPOSITORY, capture_output=True, text=True, check=True
    )
    development = re.compile(r"rust/generate-bindings/|assemblyscript/test/|.*/wit$|.*/\.gitignore$|.*/rustfmt\.toml$")
    sources = {name.removeprefix("sdk/") for name in listed.stdout.split()}
    kept = {name for name in sources if not development.match(name)}
    npm = {f"assemblyscript/{name}" for name in kept if name.startswith("wit/") and name.endswith(".wit")}
    return {f"sentinel_host/_sdk/{name}" for name in kept | npm}


def hot_path() -> list[str]:
    listed = runpy.run_path(str(REPOSITORY / "setup.py"))
    return [f"sentinel_host.{module.replace('/', '.')}" for module in listed["HOT_PATH"]]


def test_the_hot_path_is_compiled() -> None:
    """Uncompiled, every test passes and every request costs half as much again."""
    modules = hot_path()
    origins = [str(find_spec(module).origin) for module in modules]
    if str(REPOSITORY / "host") in origins[0]:
        pytest.skip("a working tree is not compiled")
    assert [origin for origin in origins if not origin.endswith(".so")] == []


def test_compiled_classes_fit_those_that_they_inherit_from() -> None:
    """A handler of `logging` was compiled. It had a second place for weak references, and its process crashed later.

    mypyc gives a compiled class that place whatever its base, so that a base with one must be compiled too.
    """
    wrong = []
    for name in hot_path():
        for member in vars(import_module(name)).values():
            if not isinstance(member, type) or member.__module__ != name or not member.__weakrefoffset__:
                continue
            offsets = {base.__weakrefoffset__ for base in member.__mro__ if base.__weakrefoffset__}
            if len(offsets) > 1:
                wrong.append(f"{name}.{member.__qualname__}")
    assert wrong == []
