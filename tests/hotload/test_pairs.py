"""A guest and the configuration that only this version accepts are replaced together, as a volume
of Kubernetes is.
"""

from __future__ import annotations

import os
from pathlib import Path

import msgpack
import pytest
from wasmtime import wat2wasm

from tests.hotload.configuration import with_one_route
from tests.hotload.failing import TOKEN
from tests.hotload.operating import ask, command, put, wait_for_answer
from tests.support.gateways import GatewayProcess, sentinel_run
from tests.wat import index

both = pytest.mark.parametrize("workers", [1, 2])
_REFUSED = "was not reloaded; the active one stays"
_RELOADED = "was reloaded, and serves"

_GUEST = """
(module
  (memory (export "memory") 17)
{allocator}
  (data (i32.const 1048576) "{answer}")
  ;; The configuration is one string of one letter, which ends it.
  (func (export "sentinel:gateway/lifecycle@0.1.0#configure") (param $start i32) (param $length i32) (result i32)
    (if (i32.and (i32.const {particular})
                 (i32.ne (i32.load8_u (i32.sub (i32.add (local.get $start) (local.get $length)) (i32.const 1)))
                         (i32.const {letter})))
      (then unreachable))
    (i32.store8 (i32.const 16) (i32.const 0))
    (i32.const 16))
  (func (export "sentinel:gateway/request-handler@0.1.0#on-request") (param $start i32) (param $length i32) (result i32)
    (call $reset)
    (call $answer (i32.const 1048576) (i32.const {length}))))
"""


def particular(name: str, letter: str | None) -> bytes:
    """A guest that answers with its name, and starts with this setting alone; ``None`` is any."""
    answer = msgpack.packb([1, [[200, [], name.encode()]]])
    return bytes(
        wat2wasm(
            _GUEST.format(
                allocator=index.text("allocator"),
                answer="".join(f"\\{byte:02x}" for byte in answer),
                length=len(answer),
                particular=int(letter is not None),
                letter=ord(letter or "a"),
            )
        )
    )


def configured(letter: str, workers: int, more: str = "") -> str:
    """A configuration beside its guest, for versions that want this setting."""
    return with_one_route(
        server=f'admin_token = "{TOKEN}"\ntrusted_proxies = ["127.0.0.1"]\nworkers = {workers}',
        guests=f'[guests]\ndirectory = "."\n\n[guest.versioned]\nconfig = {{ setting = "{letter}" }}\n{more}',
        target="http://127.0.0.1:9",
        chain='"versioned"',
    )


def volume(folder: Path, name: str, text: str, guest: bytes) -> None:
    """Put a configuration and its guest into place at once, as the kubelet does."""
    moment = folder / f"..{name}"
    moment.mkdir()
    (moment / "sentinel.toml").write_text(text)
    (moment / "versioned.wasm").write_bytes(guest)
    (folder / "..data_tmp").symlink_to(moment.name)
    os.rename(folder / "..data_tmp", folder / "..data")
    for file in ("sentinel.toml", "versioned.wasm"):
        if not (folder / file).is_symlink():
            (folder / file).symlink_to(f"..data/{file}")


def said(gateway: GatewayProcess, text: str) -> int:
    return sum(text in line for line in list(gateway.log))


@both
def test_a_pair_that_needs_each_other_is_replaced_together(tmp_path: Path, workers: int) -> None:
    """Each refused the other for ever: the guest was judged by the old configuration, the
    configuration by the old guest, and neither was looked at again until it changed. What serves in
    the end can be rolled back to nothing.
    """
    volume(tmp_path, "first", configured("a", workers), particular("one", "a"))
    with sentinel_run(tmp_path / "sentinel.toml") as gateway:
        wait_for_answer(gateway, "one")
        for number, (name, letter) in enumerate((("two", "b"), ("three", "c"))):
            volume(tmp_path, name, configured(letter, workers), particular(name, letter))
            wait_for_answer(gateway, name, 8)
            gateway.wait(lambda number=number: said(gateway, _RELOADED) > number, _RELOADED)
        # The version before does not start with the configuration of this one.
        assert command(gateway, "rollback", "versioned") == 1
        wait_for_answer(gateway, "three", 4)


@both
@pytest.mark.parametrize("first", ["guest", "configuration"])
def test_whichever_of_a_pair_comes_first_waits_for_the_other(tmp_path: Path, workers: int, first: str) -> None:
    (tmp_path / "versioned.wasm").write_bytes(particular("one", "a"))
    file = tmp_path / "sentinel.toml"
    file.write_text(configured("a", workers))

    def come(what: str) -> None:
        fresh = tmp_path / "fresh"
        if what == "guest":
            fresh.write_bytes(particular("two", "b"))
            fresh.rename(tmp_path / "versioned.wasm")
        else:
            fresh.write_text(configured("b", workers))
            fresh.rename(file)

    with sentinel_run(file) as gateway:
        wait_for_answer(gateway, "one")
        come(first)
        gateway.wait_for_log("was not replaced" if first == "guest" else _REFUSED)
        assert ask(gateway)[1] == b"one"
        come("configuration" if first == "guest" else "guest")
        wait_for_answer(gateway, "two", 8)


@both
def test_a_version_that_waits_for_a_configuration_comes_with_it(tmp_path: Path, workers: int) -> None:
    """The configuration suits the version that serves as well; then nobody looked at the new one
    again.
    """
    folder = tmp_path / "guests"
    folder.mkdir()
    text = configured("a", workers).replace('directory = "."', 'directory = "guests"')
    file = tmp_path / "sentinel.toml"
    (folder / "versioned.wasm").write_bytes(particular("one", None))
    file.write_text(text)
    with sentinel_run(file) as gateway:
        put(gateway, particular("two", "b"))
        gateway.wait_for_log("was not replaced")
        assert ask(gateway)[1] == b"one"
        fresh = tmp_path / "fresh"
        fresh.write_text(text.replace('"a"', '"b"'))
        fresh.rename(file)
        wait_for_answer(gateway, "two", 8)


@both
def test_a_pair_of_which_one_is_broken_changes_nothing(tmp_path: Path, workers: int) -> None:
    volume(tmp_path, "first", configured("a", workers), particular("one", "a"))
    with sentinel_run(tmp_path / "sentinel.toml") as gateway:
        wait_for_answer(gateway, "one")
        volume(tmp_path, "second", configured("b", workers), particular("two", "c"))
        gateway.wait_for_log("was not replaced")
        gateway.wait_for_log(_REFUSED)
        assert {ask(gateway)[1] for _ in range(8)} == {b"one"}
        volume(tmp_path, "third", configured("b", workers), particular("three", "b"))
        wait_for_answer(gateway, "three", 8)
