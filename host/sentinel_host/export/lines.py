"""Lines of the log as OpenTelemetry's log records."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

import msgspec
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue

from sentinel_host.export.spans import SCOPE, attributes_of, resource_of

# The first severity of each level (OpenTelemetry's Logs Data Model, "SeverityNumber").
_SEVERITIES: Final = {"trace": 1, "debug": 5, "info": 9, "warn": 13, "warning": 13, "error": 17, "critical": 21}
# Fields of a line that are no attributes.
_OWN: Final = frozenset(("time", "level", "message"))


def logs_request(lines: list[bytes], resource: Mapping[str, str]) -> tuple[bytes, int]:
    """An ``ExportLogsServiceRequest`` of lines of JSON, and how many records it has."""
    request = ExportLogsServiceRequest()
    group = request.resource_logs.add(resource=resource_of(resource))
    scope = group.scope_logs.add()
    scope.scope.name = SCOPE
    for line in lines:
        fields: dict[str, Any] = msgspec.json.decode(line)
        level = str(fields.get("level", "info"))
        record = scope.log_records.add(
            time_unix_nano=_nanoseconds(str(fields.get("time", ""))),
            severity_number=_SEVERITIES.get(level, 9),
            severity_text=level,
            body=AnyValue(string_value=str(fields.get("message", ""))),
        )
        record.attributes.extend(
            attributes_of({f"sentinel.{key}": str(value) for key, value in fields.items() if key not in _OWN and value})
        )
    return request.SerializeToString(), len(scope.log_records)


def _nanoseconds(time: str) -> int:
    try:
        return int(datetime.fromisoformat(time).timestamp() * 1e9)
    except ValueError:
        return 0
