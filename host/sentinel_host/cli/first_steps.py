"""First steps for users who have no configuration yet."""

from __future__ import annotations

from pathlib import Path

from sentinel_host.errors import ConfigError

_STEPS = """\
There is no configuration here yet. Begin with one of these:

  sentinel run --upstream http://127.0.0.1:3000    proxies everything there
  sentinel new my-guest                            makes a guest, with a configuration for it
  sentinel run --config FILE                       serves a configuration that is elsewhere

Or save this as sentinel.toml, with the address of your service:

  [[upstream]]
  name = "origin"
  targets = ["http://127.0.0.1:3000"]

  [[route]]
  path = "/"
  upstream = "origin"
"""


def need_configuration(file: str, default: str) -> None:
    """Raises `ConfigError` with the first steps if no file was named and the default one is
    missing.
    """
    if file == default and not Path(file).exists():
        raise ConfigError(f"{file}: No such file or directory\n{_STEPS.rstrip()}")
