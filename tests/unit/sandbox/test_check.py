"""Everything that would abort the process, or never be called, is refused at load."""

from __future__ import annotations

import pytest

from sentinel_host.errors import GuestLoadError
from sentinel_host.sandbox import LoadedGuest
from sentinel_host.sandbox.check import Function, Memory, Surface, check
from tests.wat import index

from .conftest import Load

HOOK = "sentinel:gateway/request-handler@0.1.0#on-request"
RETURNS = Function(("i32", "i32"), ("i32",))
REALLOC = Function(("i32",) * 4, ("i32",))


@pytest.mark.parametrize("name", index.names("refused"))
def test_refuses_and_names_the_thing(load: Load, name: str) -> None:
    with pytest.raises(GuestLoadError) as caught:
        load(name)
    message = str(caught.value)
    assert index.expected(name) in message
    assert message.startswith(f"{name}.wasm: ")
    assert "\n" not in message


@pytest.mark.parametrize("name", index.names("good"))
def test_takes_what_the_contract_allows(load: Load, name: str) -> None:
    assert load(name).abi_version == "0.1.0"


def test_tells_hooks_and_imports(load: Load) -> None:
    guest: LoadedGuest = load("good/context")
    assert guest.hooks == ("on-response", "on-complete")
    assert guest.imports == ("sentinel:gateway/log@0.1.0#write",)


def test_other_exports_are_ignored() -> None:
    exports = {
        "memory": Memory(),
        "cabi_realloc": REALLOC,
        HOOK: RETURNS,
        "helper": Function(("v128",)),
        "mem": Memory(),
    }
    assert [entry.export for entry in check(Surface([], exports), "x.wasm").hooks] == [HOOK]


@pytest.mark.parametrize("version", ["0.1.01", "0.1.", "0.1", "", "0.1.0.0", "0.1.\u0660", "0.1.9999999999", "0.1.0 "])
def test_refuses_odd_versions(version: str) -> None:
    name = HOOK.replace("0.1.0", version)
    exports = {"memory": Memory(), "cabi_realloc": REALLOC, name: RETURNS}
    with pytest.raises(GuestLoadError, match=r"this host offers 0\.1\.0"):
        check(Surface([], exports), "x.wasm")


def test_a_newer_import_beside_an_offered_hook_names_both_versions() -> None:
    exports = {"memory": Memory(), "cabi_realloc": REALLOC, HOOK: RETURNS}
    imports = [("sentinel:gateway/log@0.1.3", "write", Function(("i32",) * 3))]
    with pytest.raises(GuestLoadError, match=r"log@0\.1\.3 needs sentinel:gateway 0\.1\.3; this host offers 0\.1\.0"):
        check(Surface(imports, exports), "x.wasm")


def test_refuses_mixed_versions(monkeypatch: pytest.MonkeyPatch) -> None:
    """Within a host of 0.1.2, whose guests may be of 0.1.0 to 0.1.2, but only of one of these."""
    monkeypatch.setattr("sentinel_host.sandbox.check.VERSION", (0, 1, 2))
    exports = {"memory": Memory(), "cabi_realloc": REALLOC, HOOK: RETURNS}
    imports = [("sentinel:gateway/log@0.1.2", "write", Function(("i32",) * 3))]
    with pytest.raises(GuestLoadError, match=r"mixes versions of sentinel:gateway: 0\.1\.0, 0\.1\.2"):
        check(Surface(imports, exports), "x.wasm")
    older = {"memory": Memory(), "cabi_realloc": REALLOC, HOOK.replace("0.1.0", "0.1.1"): RETURNS}
    assert check(Surface([], older), "x.wasm").version == "0.1.1"


def test_a_long_or_evil_name_stays_one_short_line() -> None:
    name = "env\n\x1b[31m" + "x" * 100_000
    exports = {"memory": Memory(), "cabi_realloc": REALLOC, HOOK: RETURNS}
    with pytest.raises(GuestLoadError) as caught:
        check(Surface([(name, "abort", Function(()))], exports), "x.wasm")
    assert str(caught.value).isprintable()
    assert len(str(caught.value)) < 400
