from __future__ import annotations

from dataclasses import dataclass, field

from sentinel_sdk import ConfigError, Guest, HeaderEdits, IncomingResponse, Request, Response, header_name, header_value


@dataclass
class Changes:
    set: dict[str, str] = field(
        default_factory=dict,
        metadata={"schema": {"description": "Each name and the value that replaces all fields of that name."}},
    )
    append: dict[str, str] = field(
        default_factory=dict, metadata={"schema": {"description": "Each name and the value of a further field."}}
    )
    remove: list[str] = field(default_factory=list, metadata={"schema": {"description": "Names of fields."}})

    def edits(self, at: str) -> HeaderEdits:
        made = HeaderEdits()
        for name in self.remove:
            made.remove(_checked(f"{at}.remove", name))
        for name, value in self.set.items():
            made.set(*_checked_field(f"{at}.set", name, value))
        for name, value in self.append.items():
            made.append(*_checked_field(f"{at}.append", name, value))
        return made


@dataclass
class Config:
    request: Changes = field(default_factory=Changes, metadata={"schema": {"description": "Changes to requests."}})
    response: Changes = field(default_factory=Changes, metadata={"schema": {"description": "Changes to responses."}})


class HeaderInjection(Guest[Config]):
    """Sets, appends and removes header fields of requests and responses, as configured."""

    def configure(self, config: Config) -> None:
        self.request_edits = config.request.edits("request").edits
        self.response_edits = config.response.edits("response").edits

    def on_request(self, request: Request) -> Response | None:
        request.headers.edits += self.request_edits
        return None

    def on_response(self, response: IncomingResponse) -> Response | None:
        response.headers.edits += self.response_edits
        return None


def _checked(at: str, name: str) -> str:
    try:
        return header_name(name)
    except ValueError as error:
        raise ConfigError(f"{at}: {error}") from None


def _checked_field(at: str, name: str, value: str) -> tuple[str, str]:
    name = _checked(at, name)
    try:
        return name, header_value(value)
    except ValueError as error:
        raise ConfigError(f"{at}.{name}: {error}") from None
