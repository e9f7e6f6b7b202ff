from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from sentinel_host.authoring import processes
from sentinel_host.errors import ToolchainError


def test_a_failure_shows_the_step_the_command_and_both_ends_of_its_output(tmp_path: Path) -> None:
    script = "for i in range(100): print('line', i)\nraise SystemExit(3)"
    with pytest.raises(ToolchainError) as failure:
        processes.run((sys.executable, "-c", script), "compiling x", log=tmp_path / "logs" / "x.log")
    text = str(failure.value)
    assert text.startswith("compiling x failed (exit code 3): ")
    assert text.endswith("line 99")
    assert "line 11\n[52 lines left out]\nline 64\n" in text
    assert str(tmp_path / "logs" / "x.log") in text
    assert (tmp_path / "logs" / "x.log").read_text().startswith("line 0\n")


def test_a_missing_program_is_named() -> None:
    with pytest.raises(ToolchainError, match=r"^step: no-such-program is not installed$"):
        processes.run(("no-such-program",), "step")
    with pytest.raises(ToolchainError, match=r"^no-such-program is not installed$"):
        processes.capture(("no-such-program",))


def test_a_step_that_hangs_is_ended() -> None:
    with pytest.raises(ToolchainError, match=r"^step: no end after 0\.2 s: "):
        processes.run((sys.executable, "-c", "import time; time.sleep(60)"), "step", timeout=0.2)


def test_capture_keeps_errors_out_of_the_answer() -> None:
    script = "import sys; print(' answer '); print('noise', file=sys.stderr)"
    assert processes.capture((sys.executable, "-c", script)) == "answer"
    with pytest.raises(ToolchainError, match=r"\(exit code 1\): why$"):
        processes.capture((sys.executable, "-c", "raise SystemExit('why')"))


def test_flags_that_would_displace_the_sysroot_do_not_reach_cargo(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RUSTFLAGS", "-Ctarget-cpu=native")
    monkeypatch.setenv("CARGO_TARGET_DIR", "/elsewhere")
    environment = processes.clean_environment({"CARGO_TARGET_DIR": "/ours", "EXTRA": "1"})
    assert "RUSTFLAGS" not in environment
    assert (environment["CARGO_TARGET_DIR"], environment["EXTRA"]) == ("/ours", "1")
    assert environment["PATH"] == os.environ["PATH"]
