"""The demo: a sample upstream of two endpoints and a gateway with three guests, to try with curl.

``--check`` probes the gateway, prints one line per probe and exits 0 or 1. ``--any-port`` takes
free ports.
"""

from __future__ import annotations

import argparse
import contextlib
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

from probes import Endpoint, Gateway, check

HERE = Path(__file__).resolve().parent
BUILD = HERE.parents[1] / "build"
# As sentinel.toml has them.
ENDPOINTS = ["127.0.0.1:9000", "127.0.0.1:9001"]
GUESTS = {
    "access-log": "rust",
    "api-key-auth": "rust",
    "header-injection": "assemblyscript",
    "path-rewrite": "assemblyscript",
}

TRY = """
Try (the key is demo-key):

  curl -i http://{public}/hello                                  # 401: no key
  curl -i http://{public}/hello -H 'x-api-key: wrong'            # 403: a wrong one
  curl -i http://{public}/hello -H 'x-api-key: demo-key'         # 200: see x-gateway and x-principal in the echo
  curl -i http://{public}/old/page -H 'x-api-key: demo-key'      # the upstream is asked for /new/page
  curl http://{admin}/metrics

Access log lines appear below. End with Ctrl-C.
"""


def main() -> int:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--check", action="store_true", help="probe the gateway and exit")
    options.add_argument("--any-port", action="store_true", help="free ports instead of 8080, 8081, 9000 and 9001")
    arguments = options.parse_args()
    wanted = ["127.0.0.1:0"] * 2 if arguments.any_port else ENDPOINTS
    with sample_upstream(wanted[0]) as first, sample_upstream(wanted[1]) as second:
        config = write_config([first.address, second.address], any_port=arguments.any_port)
        with running_gateway(config, second, quiet=arguments.check) as gateway:
            if arguments.check:
                return 0 if check(gateway) else 1
            print(TRY.format(public=gateway.public, admin=gateway.admin), flush=True)
            with contextlib.suppress(KeyboardInterrupt):
                gateway.process.wait()
    return 0


def write_config(endpoints: list[str], *, any_port: bool) -> Path:
    """Put the configuration and its guests into one folder of the build."""
    folder = BUILD / "demo"
    guests = folder / "guests"
    shutil.rmtree(folder, ignore_errors=True)
    guests.mkdir(parents=True)
    for name, language in GUESTS.items():
        shutil.copy(BUILD / "guests" / language / f"{name}.wasm", guests)
    text = (HERE / "sentinel.toml").read_text()
    for written, address in zip(ENDPOINTS, endpoints, strict=True):
        text = text.replace(written, address)
    if any_port:
        text = text.replace("127.0.0.1:8080", "127.0.0.1:0").replace("127.0.0.1:8081", "127.0.0.1:0")
    config = folder / "sentinel.toml"
    config.write_text(text)
    return config


@contextlib.contextmanager
def sample_upstream(address: str) -> Iterator[Endpoint]:
    """The process of one endpoint."""
    command = [sys.executable, str(HERE / "upstream.py"), address]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            line = process.stdout.readline().strip()
            if not line:
                raise SystemExit(f"demo: the sample upstream does not start on {address}; is the port taken?")
            yield Endpoint(line, process)
        finally:
            process.terminate()


@contextlib.contextmanager
def running_gateway(config: Path, spare: Endpoint, *, quiet: bool) -> Iterator[Gateway]:
    """The gateway's process, once it listens; its log is kept and, unless quiet, printed."""
    command = [sys.executable, "-m", "sentinel_host", "run", "--config", str(config)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        gateway = Gateway(process, spare)
        try:
            while len(gateway.listeners) < 2:
                line = process.stderr.readline()
                if not line:
                    raise SystemExit("demo: the gateway does not start")
                if not gateway.announced(line):
                    print(line, end="", file=sys.stderr)
            collector = threading.Thread(target=collect, args=(gateway, quiet))
            collector.start()
            try:
                yield gateway
            finally:
                process.send_signal(signal.SIGTERM)
                collector.join()
        finally:
            process.kill()


def collect(gateway: Gateway, quiet: bool) -> None:
    assert gateway.process.stdout is not None
    for line in gateway.process.stdout:
        gateway.add_log_line(line)
        if not quiet:
            print(line, end="", flush=True)


if __name__ == "__main__":
    sys.exit(main())
