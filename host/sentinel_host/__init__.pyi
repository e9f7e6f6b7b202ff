from sentinel_host.config import Config, load_config
from sentinel_host.embedding import ServedGateway, create_app, serve
from sentinel_host.errors import ConfigError, GuestLoadError, SentinelError

__all__ = [
    "Config",
    "ConfigError",
    "GuestLoadError",
    "SentinelError",
    "ServedGateway",
    "__version__",
    "create_app",
    "load_config",
    "serve",
]

__version__: str
