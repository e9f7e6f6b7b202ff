from __future__ import annotations

from dataclasses import dataclass, field

from masking import Mask, Words
from sentinel_sdk import ConfigError, Guest, IncomingResponse, Request, Response, ResponseChunk, log

# Keeps the automaton small.
LONGEST = 1024


@dataclass
class Config:
    mask: str = field(
        default="*",
        metadata={
            "schema": {
                "description": "What each masked byte becomes: one printable character of ASCII.",
                "minLength": 1,
                "maxLength": 1,
            }
        },
    )
    # The shortest card numbers have 13 digits (ISO/IEC 7812).
    digits: int = field(
        default=13,
        metadata={
            "schema": {
                "description": "A run of at least so many digits is masked; 0 masks none.",
                "minimum": 0,
                "maximum": 64,
            }
        },
    )
    words: list[str] = field(
        default_factory=list,
        metadata={
            "schema": {
                "description": "Texts that are masked wherever they occur, also within words; at most 1,024 bytes "
                "together."
            }
        },
    )


class Redactor(Guest[Config]):
    """Masks long runs of digits, and configured words, in responses that are text."""

    def configure(self, config: Config) -> None:
        if len(config.mask) != 1 or not " " <= config.mask <= "~":
            raise ConfigError("mask: one printable character of ASCII is needed")
        if not 0 <= config.digits <= 64:
            raise ConfigError("digits: 0 to 64")
        words = [word.encode() for word in config.words]
        if not all(words):
            raise ConfigError("words: a word is empty")
        if sum(map(len, words)) > LONGEST:
            raise ConfigError("words: at most 1,024 bytes together")
        # An instance serves one body at a time, from its first chunk to its last.
        self.mask = Mask(config.mask.encode(), config.digits, Words(words))

    def on_request(self, request: Request) -> Response | None:
        # What the upstream compresses, or cuts into ranges, could not be read.
        request.headers.set("accept-encoding", "identity")
        request.headers.remove("range")
        return None

    def on_response(self, response: IncomingResponse) -> Response | None:
        if not any(map(_is_text, response.headers.get_all("content-type"))):
            return None
        if all(coding.lower() == "identity" for coding in response.headers.get_all("content-encoding")):
            response.stream_body()
        else:
            log.warn("an encoded response passes unmasked")
        return None

    def on_response_chunk(self, chunk: ResponseChunk) -> Response | None:
        masked = self.mask.feed(chunk.data, last=chunk.is_last)
        if masked is not None:
            chunk.replace(masked)
        return None


def _is_text(content_type: str) -> bool:
    kind = content_type.partition(";")[0].strip().lower()
    return kind.startswith("text/") or kind.endswith(("/json", "+json", "/xml", "+xml"))
