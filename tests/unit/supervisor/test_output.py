from __future__ import annotations

import os
import subprocess
import sys
from collections import Counter
from pathlib import Path

from sentinel_host.supervisor.output import WholePieces

_WRITER = """
import sys
from sentinel_host.supervisor.output import WholePieces
name, lock = sys.argv[1], int(sys.argv[2])
stream = WholePieces(1, lock)
for _ in range(30):
    stream.write(name * 50_000 + "\\n")
"""


def test_pieces_of_several_processes_stay_whole() -> None:
    """A pipe keeps only 4096 bytes together: longer lines of access logs ran into each other."""
    lock = os.memfd_create("lock")
    reader, writer = os.pipe()
    processes = [
        subprocess.Popen([sys.executable, "-c", _WRITER, name, str(lock)], stdout=writer, pass_fds=[lock])
        for name in "abc"
    ]
    os.close(writer)
    with open(reader) as pipe:
        lines = pipe.read().splitlines()
    assert [process.wait() for process in processes] == [0, 0, 0]
    os.close(lock)
    assert Counter(lines) == {name * 50_000: 30 for name in "abc"}


def test_text_that_is_not_unicode_is_written_all_the_same(tmp_path: Path) -> None:
    lock = os.memfd_create("lock")
    with open(tmp_path / "out", "wb") as out:
        assert WholePieces(out.fileno(), lock).write("caf\xe9 \udc80\n") == 7
    os.close(lock)
    assert (tmp_path / "out").read_bytes() == b"caf\xc3\xa9 \\udc80\n"
