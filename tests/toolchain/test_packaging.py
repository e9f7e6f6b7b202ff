from __future__ import annotations

import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

from guestbuild.places import REPOSITORY


def test_the_wheel_holds_the_whole_package_and_the_compiled_module(tmp_path: Path) -> None:
    source, out = tmp_path / "source", tmp_path / "wheels"
    products = shutil.ignore_patterns("*.so", "*.egg-info", "__pycache__", "_native.c")
    shutil.copytree(REPOSITORY / "host", source / "host", ignore=products)
    for name in ("pyproject.toml", "setup.py", "LICENSE"):
        shutil.copy(REPOSITORY / name, source)
    build = (sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation", "--wheel-dir", out)
    done = subprocess.run((*build, source), capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr

    (wheel,) = out.glob("sentinel_host-*.whl")
    with zipfile.ZipFile(wheel) as archive:
        names = {name for name in archive.namelist() if ".dist-info/" not in name}
        (entry_points,) = (name for name in archive.namelist() if name.endswith("/entry_points.txt"))
        assert archive.read(entry_points).decode().split() == [
            "[console_scripts]",
            "sentinel",
            "=",
            "sentinel_host.cli:main",
        ]
    compiled = {name for name in names if name.startswith("sentinel_host/native/_native") and name.endswith(".so")}
    assert len(compiled) == 1
    host = source / "host"
    package = {str(path.relative_to(host)) for path in (host / "sentinel_host").rglob("*") if path.is_file()}
    assert names - compiled == package
