"""Rules for what operators see."""

from __future__ import annotations

from urllib.parse import urlsplit

from sentinel_host.config.access_layout import check_layout
from sentinel_host.config.model import Config
from sentinel_host.config.verify.faults import fail
from sentinel_host.grammar import is_token_text


def verify_observing(config: Config) -> None:
    """Raises `ConfigError` for the first key that is wrong."""
    tracing = config.tracing
    if tracing is not None and not 0 <= tracing.share <= 1:
        raise fail(config, "tracing.share", f"expected 0 to 1, got {tracing.share:g}")
    _verify_otlp(config)
    access_log = config.access_log
    if access_log is not None:
        at = "fields" if access_log.fields else "format"
        try:
            check_layout(access_log.format, access_log.fields)
        except ValueError as error:
            raise fail(config, f"access_log.{at}", str(error)) from None


def _verify_otlp(config: Config) -> None:
    otlp = config.otlp
    if otlp.endpoint is not None:
        try:
            url = urlsplit(otlp.endpoint)
            is_url = url.scheme in ("http", "https") and bool(url.hostname) and url.port != 0
        except ValueError:
            is_url = False
        if not is_url or "@" in otlp.endpoint or url.query or url.fragment:
            raise fail(config, "otlp.endpoint", "expected a URL such as http://127.0.0.1:4318")
    for name, value in otlp.headers.items():
        if not is_token_text(name) or not value.isascii() or not value.isprintable():
            raise fail(config, f"otlp.headers.{name}", "is no header field")
    if not otlp.interval:
        raise fail(config, "otlp.interval", "expected more than 0")
