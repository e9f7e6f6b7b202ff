"""The configuration: one TOML file, decoded into frozen structs, or refused with file, key and what
was expected.
"""

from __future__ import annotations

from sentinel_host.config.changes import fixed_changes, with_fixed
from sentinel_host.config.destinations import MirrorConfig, RedirectConfig, RespondConfig
from sentinel_host.config.files import read_files
from sentinel_host.config.load import load_config, parse_config, quick_config
from sentinel_host.config.model import (
    AnswersConfig,
    BindConfig,
    Bytes,
    CanaryConfig,
    CertificateConfig,
    ChainEntry,
    Config,
    GuestConfig,
    HttpClientConfig,
    LimitConfig,
    LimitsConfig,
    PathsConfig,
    RevertConfig,
    RouteConfig,
    Seconds,
    ServerConfig,
    TlsConfig,
)
from sentinel_host.config.observing import AccessLogConfig, LogConfig, OtlpConfig, TracingConfig
from sentinel_host.config.upstreams import UpstreamConfig

__all__ = [
    "AccessLogConfig",
    "AnswersConfig",
    "BindConfig",
    "Bytes",
    "CanaryConfig",
    "CertificateConfig",
    "ChainEntry",
    "Config",
    "GuestConfig",
    "HttpClientConfig",
    "LimitConfig",
    "LimitsConfig",
    "LogConfig",
    "MirrorConfig",
    "OtlpConfig",
    "PathsConfig",
    "RedirectConfig",
    "RespondConfig",
    "RevertConfig",
    "RouteConfig",
    "Seconds",
    "ServerConfig",
    "TlsConfig",
    "TracingConfig",
    "UpstreamConfig",
    "fixed_changes",
    "load_config",
    "parse_config",
    "quick_config",
    "read_files",
    "with_fixed",
]
