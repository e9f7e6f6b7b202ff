from __future__ import annotations

import socket
import subprocess
from pathlib import Path


class Server:
    """A Redis or Valkey of the test's own, on a Unix socket, that can go away and come back."""

    def __init__(self, program: str, folder: Path) -> None:
        self._program = program
        self._folder = folder
        self._path = folder / "store.sock"
        self._process: subprocess.Popen[bytes] | None = None
        self.url = f"unix://{self._path}"

    def start(self) -> None:
        options = ["--port", "0", "--unixsocket", str(self._path), "--save", "", "--dir", str(self._folder)]
        self._process = subprocess.Popen([self._program, *options], stdout=subprocess.PIPE)
        assert self._process.stdout is not None
        for line in self._process.stdout:
            if b"eady to accept connections" in line:
                return
        raise AssertionError("the store did not start")

    def stop(self) -> None:
        if self._process is not None:
            with self._process:
                self._process.kill()
            self._process = None

    def ask(self, *words: str) -> bytes:
        """One command by hand, without the client that is tested."""
        with socket.socket(socket.AF_UNIX) as connection:
            connection.connect(str(self._path))
            connection.sendall(" ".join(words).encode() + b"\r\n")
            return connection.recv(1 << 16)
