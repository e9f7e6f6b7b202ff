"""The host's tables and records say what the WIT says."""

from __future__ import annotations

import dataclasses
import json
import re
import subprocess
from typing import Any

import pytest

from guestbuild.components import wasm_tools
from guestbuild.places import REPOSITORY
from sentinel_host import messages
from sentinel_host.abi import contract
from tests.vectors.generate import CERTIFIED_FIELDS, ENUMS, RESPONSE_FIELDS, SUMMARY_FIELDS

WIT = REPOSITORY / "wit"
# The canonical ABI's core types of the WIT types that functions use (component model,
# CanonicalABI.md, flattening).
FLAT = {
    "list": ("i32", "i32"),
    "string": ("i32", "i32"),
    "bool": ("i32",),
    "enum": ("i32",),
    "u32": ("i32",),
    "u64": ("i64",),
    "s64": ("i64",),
    "f64": ("f64",),
}


@pytest.fixture(scope="module")
def wit() -> dict[str, Any]:
    command = [str(wasm_tools()), "component", "wit", "--json", "--all-features", str(WIT)]
    document: dict[str, Any] = json.loads(subprocess.run(command, check=True, capture_output=True).stdout)
    return document


def interfaces(wit: dict[str, Any]) -> dict[str, Any]:
    return {interface["name"]: interface for interface in wit["interfaces"]}


def kind(wit: dict[str, Any], reference: Any) -> str:
    """``string``, ``bool`` …, or the kind of a defined type: ``list``, ``enum`` …"""
    if isinstance(reference, str):
        return reference
    (name,) = wit["types"][reference]["kind"] if isinstance(wit["types"][reference]["kind"], dict) else ("",)
    return str(name)


def flat(wit: dict[str, Any], function: dict[str, Any], *, is_import: bool) -> tuple[tuple[str, ...], tuple[str, ...]]:
    params = tuple(core for param in function["params"] for core in FLAT[kind(wit, param["type"])])
    if function.get("result") is None:
        return params, ()
    # Options and results have a discriminant beside their payload, or two.
    result = FLAT.get(kind(wit, function["result"]), ("i32", "i32"))
    if len(result) == 1:
        return params, result
    # Whatever is longer than one core value is returned through memory: at the address that the
    # callee returns, or, of an import, at one that the caller passes behind its arguments.
    return ((*params, "i32"), ()) if is_import else (params, ("i32",))


def test_package_and_version(wit: dict[str, Any]) -> None:
    version = ".".join(map(str, contract.VERSION))
    assert [package["name"] for package in wit["packages"]] == [f"{contract.PACKAGE}@{version}"]


def test_hooks_and_imports(wit: dict[str, Any]) -> None:
    imported = {entry.interface for entry in contract.IMPORTS}
    declared = {
        (name, function): flat(wit, details, is_import=name in imported)
        for name, interface in interfaces(wit).items()
        for function, details in interface["functions"].items()
    }
    known = {(hook.interface, hook.name): (hook.params, hook.results) for hook in contract.HOOKS}
    offered = {(entry.interface, entry.name): (entry.params, entry.results) for entry in contract.IMPORTS}
    assert declared == known | offered


def test_one_world_per_hook(wit: dict[str, Any]) -> None:
    exports = [
        [
            interface["name"]
            for key in world["exports"].values()
            for interface in [wit["interfaces"][key["interface"]["id"]]]
        ]
        for world in wit["worlds"]
    ]
    assert sorted(exports) == sorted([hook.interface] for hook in contract.HOOKS)


def test_every_world_imports_all_that_there_is(wit: dict[str, Any]) -> None:
    offered = {entry.interface for entry in contract.IMPORTS}
    for world in wit["worlds"]:
        assert {wit["interfaces"][key["interface"]["id"]]["name"] for key in world["imports"].values()} >= offered


def test_log_levels(wit: dict[str, Any]) -> None:
    assert cases(wit, "level") == list(contract.LOG_LEVELS)


def test_metric_kinds(wit: dict[str, Any]) -> None:
    assert cases(wit, "kind") == list(contract.METRIC_KINDS)


def types(wit: dict[str, Any]) -> dict[str, Any]:
    return {type_["name"]: type_["kind"] for type_ in wit["types"] if type_["name"]}


def fields(wit: dict[str, Any], name: str) -> list[str]:
    return [field["name"] for field in types(wit)[name]["record"]["fields"]]


def cases(wit: dict[str, Any], name: str) -> list[str]:
    (details,) = types(wit)[name].values()
    return [case["name"] for case in details["cases"]]


@pytest.mark.parametrize(
    ("record", "type_"),
    [
        ("request-head", messages.RequestHead),
        ("request-edits", messages.RequestEdits),
        ("response", messages.Response),
        ("answer", messages.Answer),
        ("response-head", messages.ResponseHead),
        ("response-edits", messages.ResponseEdits),
        ("summary", messages.Summary),
        ("outbound-request", messages.OutboundRequest),
    ],
)
def test_records(wit: dict[str, Any], record: str, type_: type) -> None:
    assert [field.name.replace("_", "-") for field in dataclasses.fields(type_)] == fields(wit, record)


@pytest.mark.parametrize(
    ("variant", "type_"),
    [
        ("header-edit", messages.Edit),
        ("response-origin", messages.Origin),
        ("outcome", messages.Outcome),
        ("body-mode", messages.BodyKind),
    ],
)
def test_cases(wit: dict[str, Any], variant: str, type_: Any) -> None:
    assert [member.name.lower().replace("_", "-") for member in type_] == cases(wit, variant)


def test_vectors_know_the_same_fields(wit: dict[str, Any]) -> None:
    assert list(CERTIFIED_FIELDS) == fields(wit, "request-head")
    assert list(RESPONSE_FIELDS) == fields(wit, "response-head")
    assert list(SUMMARY_FIELDS) == fields(wit, "summary")
    assert list(ENUMS["origin"]) == cases(wit, "response-origin")
    assert list(ENUMS["outcome"]) == cases(wit, "outcome")


def test_every_item_is_documented_and_dated() -> None:
    item = re.compile(r"^\s*(?:interface|world|record|variant|enum|[a-z][a-z0-9-]*: func)\b")
    for file in sorted(WIT.glob("*.wit")):
        lines = file.read_text().splitlines()
        for number, line in enumerate(lines):
            if item.match(line):
                assert "@since(version = " in lines[number - 1], f"{file.name}:{number + 1}: no @since"
                assert "///" in lines[number - 2], f"{file.name}:{number + 1}: no documentation"


def test_abi_page_names_every_hook_and_import() -> None:
    page = (WIT / "ABI.md").read_text()
    version = ".".join(map(str, contract.VERSION))
    for hook in contract.HOOKS:
        signature = f"({' '.join(hook.params)})" + (" -> i32" if hook.results else "")
        assert f"| `{hook.name}` | `{hook.core_export(version)}` | `{signature}` |" in page
    for entry in contract.IMPORTS:
        signature = f"({' '.join(entry.params)})" + "".join(f" -> {result}" for result in entry.results)
        grant = "" if entry.grant is None else f"`{entry.grant}`"
        assert f"| `{contract.PACKAGE}/{entry.interface}@{version}` `{entry.name}` | `{signature}` | {grant} |" in page


def test_abi_page_examples_are_right() -> None:
    """The byte-level examples of ABI.md, with their comments taken off, are what the vectors'
    encoder makes.
    """
    page = (WIT / "ABI.md").read_text()
    blocks = [
        "".join(re.findall(r"^ *((?:[0-9a-f]{2} )*[0-9a-f]{2})(?: |$)", block, re.MULTILINE)).replace(" ", "")
        for block in re.findall(r"```\n(.*?)```", page, re.DOTALL)
    ]
    head = "9aa3474554a22f61a3623d3191" + "92a4686f7374c40168" + "a468747470a168a93132372e302e302e31a27231a12fa3312e31"
    assert blocks == [head, "92009191920092a3782d61c40131", "92019193cd019190c4026e6f"]
