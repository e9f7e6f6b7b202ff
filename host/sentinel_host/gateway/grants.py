"""What the configuration grants a guest, and how much of it, as the sandbox takes it."""

from __future__ import annotations

from dataclasses import replace

from sentinel_host.abi.contract import LOG_LEVELS
from sentinel_host.abi.rules import AnswerLimits
from sentinel_host.config import GuestConfig
from sentinel_host.sandbox import Grants, HttpGrant, Limits, RuntimeDefaults

HTTP_CLIENT = "http-client"


def grants_of(settings: GuestConfig, http: HttpGrant | None) -> Grants:
    """The grants of one guest; ``http`` is how it asks HTTP services, if it may."""
    return Grants(frozenset(settings.grants), settings.kv, http)


def limits_of(settings: GuestConfig, answers: AnswerLimits, defaults: RuntimeDefaults, level: str = "trace") -> Limits:
    """The limits of one guest; ``answers`` holds what all guests of a gateway are held to.

    ``level`` is the least that guests log who are not told otherwise.

    ``defaults`` are those of the guest's language.
    """
    told = settings.limits
    return Limits(
        memory=defaults.memory if settings.memory is None else settings.memory,
        deadline=settings.deadline,
        start_deadline=defaults.start_deadline if settings.start_deadline is None else settings.start_deadline,
        isolation=settings.isolation,
        instances=settings.instances,
        bodies=settings.bodies,
        result=told.answer,
        lines=told.log_lines,
        log_level=LOG_LEVELS.index(settings.log_level or level),
        answers=replace(answers, edits=told.headers, header_bytes=told.header_bytes, context_bytes=told.context),
    )
