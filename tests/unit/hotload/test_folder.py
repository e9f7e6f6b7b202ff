"""Reading a folder into which anybody may have put anything."""

from __future__ import annotations

import os
import socket
import threading
from pathlib import Path

import pytest

from sentinel_host.errors import GuestLoadError
from sentinel_host.hotload.folder import Folder, GuestUnstable

LIMIT = 1 << 20


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    (tmp_path / "guests").mkdir()
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside" / "secret.wasm").write_bytes(b"secret")
    return Folder(tmp_path / "guests", LIMIT)


def refusal(folder: Folder, name: str = "g") -> str:
    with pytest.raises(GuestLoadError) as caught:
        folder.read(name)
    assert str(caught.value).startswith(f"{folder.path}/{name}.wasm: ")
    return str(caught.value).partition(".wasm: ")[2]


def test_a_file_is_read_whole(folder: Folder) -> None:
    data = os.urandom(300_000)
    (folder.path / "g.wasm").write_bytes(data)
    assert folder.read("g") == data
    assert folder.names() == {"g"}


def test_a_missing_file_is_reported(folder: Folder) -> None:
    assert refusal(folder) == "no such file"
    assert folder.state("g") is None
    absent = Folder(folder.path / "none", LIMIT)
    assert absent.names() == set()
    assert refusal(absent) == "no such file"


def test_a_link_out_of_the_folder_is_not_followed(folder: Folder) -> None:
    for target in ("../outside/secret.wasm", str(folder.path.parent / "outside" / "secret.wasm"), "sub/../../outside"):
        link = folder.path / "g.wasm"
        link.symlink_to(target)
        assert refusal(folder) == "cannot be read: is a link that leads out of the folder"
        link.unlink()


def test_a_link_through_a_directory_that_leads_out_is_not_followed(folder: Folder) -> None:
    (folder.path / "sub").symlink_to("../outside")
    (folder.path / "g.wasm").symlink_to("sub/secret.wasm")
    assert refusal(folder) == "cannot be read: is a link that leads out of the folder"


def test_links_within_the_folder_are_followed_as_kubernetes_makes_them(folder: Folder) -> None:
    (folder.path / "..2026_03_01").mkdir()
    (folder.path / "..2026_03_01" / "g.wasm").write_bytes(b"from a volume")
    (folder.path / "..data").symlink_to("..2026_03_01")
    (folder.path / "g.wasm").symlink_to("..data/g.wasm")
    assert folder.read("g") == b"from a volume"


def test_a_link_is_relative_to_the_directory_that_it_is_in(folder: Folder) -> None:
    (folder.path / "a" / "b").mkdir(parents=True)
    (folder.path / "a" / "b" / "real").write_bytes(b"right")
    (folder.path / "real").write_bytes(b"wrong")
    (folder.path / "a" / "link").symlink_to("b/real")
    (folder.path / "g.wasm").symlink_to("./a//link")
    assert folder.read("g") == b"right"


def test_links_that_go_in_circles_end(folder: Folder) -> None:
    (folder.path / "g.wasm").symlink_to("h.wasm")
    (folder.path / "h.wasm").symlink_to("g.wasm")
    assert refusal(folder) == "cannot be read: is a link that leads out of the folder"
    assert folder.state("g") is not None


def test_a_hard_link_is_refused(folder: Folder) -> None:
    os.link(folder.path.parent / "outside" / "secret.wasm", folder.path / "g.wasm")
    assert refusal(folder) == "has 2 names (hard links); copy it instead"


def test_a_fifo_and_a_socket_do_not_block(folder: Folder) -> None:
    os.mkfifo(folder.path / "g.wasm")
    assert refusal(folder) == "is not a regular file"
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(folder.path / "h.wasm"))
        assert refusal(folder, "h").startswith("cannot be read: ")


def test_a_directory_is_refused(folder: Folder) -> None:
    (folder.path / "g.wasm").mkdir()
    assert refusal(folder) == "is not a regular file"


def test_a_device_is_refused(folder: Folder) -> None:
    # A link to one is what can be made without privileges.
    (folder.path / "g.wasm").symlink_to("/dev/zero")
    assert refusal(folder) == "cannot be read: is a link that leads out of the folder"


def test_a_large_file_is_refused_unread(folder: Folder) -> None:
    with open(folder.path / "g.wasm", "wb") as file:
        file.truncate(1 << 40)
    assert refusal(folder) == f"is larger than {LIMIT} bytes"


def test_a_file_without_permission_is_said(folder: Folder) -> None:
    (folder.path / "g.wasm").write_bytes(b"x")
    (folder.path / "g.wasm").chmod(0)
    if os.geteuid() == 0:
        pytest.skip("root reads everything")
    assert refusal(folder) == "cannot be read: Permission denied"


def test_a_file_that_changes_meanwhile_was_not_read(folder: Folder) -> None:
    """Its times tell, as finely as the kernel keeps them; whoever reads tries again once it has
    held still.
    """
    path = folder.path / "g.wasm"
    states = [bytes([byte]) * (LIMIT - 1) for byte in range(4)]
    path.write_bytes(states[0])
    stop = threading.Event()

    def write() -> None:
        while not stop.is_set():
            for state in states:
                with open(path, "r+b") as file:
                    file.write(state)

    writer = threading.Thread(target=write)
    writer.start()
    unsettled = 0
    try:
        while unsettled < 20:
            try:
                folder.read("g")
            except GuestUnstable:
                unsettled += 1
    finally:
        stop.set()
        writer.join()
    assert folder.read("g") in states
