from __future__ import annotations

import ast
import runpy
from collections.abc import Iterator
from importlib import import_module
from importlib.util import find_spec

import pytest

from guestbuild.places import REPOSITORY


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
    """A handler of `logging` was compiled. It had a second place for weak references, and its
    process crashed later.

    mypyc gives a compiled class that place whatever its base, so that a base with one must be
    compiled too: the place of a compiled base is that of its own instances, and no code of it looks
    there in others.
    """
    wrong = []
    compiled = set(hot_path())
    for name in compiled:
        for member in vars(import_module(name)).values():
            if not isinstance(member, type) or member.__module__ != name or not member.__weakrefoffset__:
                continue
            others = (base for base in member.__mro__ if base.__module__ not in compiled)
            if any(base.__weakrefoffset__ not in (0, member.__weakrefoffset__) for base in others):
                wrong.append(f"{name}.{member.__qualname__}")
    assert wrong == []


def handlers(tree: ast.AST) -> Iterator[ast.stmt]:
    """The statements that run while an exception is handled."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Try):
            yield from node.finalbody
            for handler in node.handlers:
                yield from handler.body


def test_nothing_waits_while_it_handles_an_exception() -> None:
    """Compiled, a coroutine does not put its exception aside while it waits.

    What ran meanwhile took it for one of its own: tracebacks of others' errors in the log, and all
    that they refer to kept in memory.
    """
    waits = (ast.Await, ast.AsyncWith, ast.AsyncFor, ast.Yield, ast.YieldFrom)
    found = [
        f"{module}:{node.lineno}"
        for module in hot_path()
        for statement in handlers(
            ast.parse((REPOSITORY / "host" / module.replace(".", "/")).with_suffix(".py").read_text())
        )
        for node in ast.walk(statement)
        if isinstance(node, waits)
    ]
    assert found == []
