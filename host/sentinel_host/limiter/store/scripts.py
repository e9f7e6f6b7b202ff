"""Scripts that run atomically inside of the store (Redis and Valkey, Lua 5.1).

A key is a counter that the store itself lets expire: a fixed window opens with the first count and
ends on the store's clock, so that gateways need no common one. Only durations travel.
"""

from __future__ import annotations

import hashlib

from sentinel_host.limiter.limit import Limit

ADD = """
local answers = {}
for index, key in ipairs(KEYS) do
  local total = redis.call('INCRBY', key, ARGV[2 * index - 1])
  local left = redis.call('PTTL', key)
  if left < 0 then
    left = tonumber(ARGV[2 * index])
    redis.call('PEXPIRE', key, left)
  end
  answers[2 * index - 1] = total
  answers[2 * index] = left
end
return answers
"""
"""KEYS, and for each a count and the milliseconds of a window that this opens → for each its total
and what is left.
"""

FIXED_WINDOW = """
local requests, window = tonumber(ARGV[1]), tonumber(ARGV[2])
local used = tonumber(redis.call('GET', KEYS[1]) or '0')
local left = redis.call('PTTL', KEYS[1])
if left < 0 then
  redis.call('SET', KEYS[1], 1, 'PX', window)
  return {1, requests - 1, window}
end
if used >= requests then return {0, 0, left} end
redis.call('INCR', KEYS[1])
return {1, requests - used - 1, left}
"""
"""One key; requests and window in milliseconds → allowed, remaining, milliseconds."""

LEAKY_BUCKET = """
local requests, window = tonumber(ARGV[1]), tonumber(ARGV[2])
local time = redis.call('TIME')
local now = time[1] * 1000 + time[2] / 1000
local interval = window / requests
local arrival = math.max(tonumber(redis.call('GET', KEYS[1]) or '0'), now) + interval
local level = arrival - now
-- A thousandth of a millisecond: sums of fractions are not exact.
if level > window + 0.001 then return {0, 0, math.ceil(level - window)} end
redis.call('SET', KEYS[1], string.format('%.17g', arrival), 'PX', math.max(1, math.ceil(level)))
return {1, math.floor((window - level) / interval + 0.001), math.ceil(level)}
"""
"""The same for GCRA, on the store's clock."""


def store_key(prefix: str, limit: Limit, key: bytes) -> str:
    """The counter's name in the store: of fixed length, and without the client's address or
    credential in it.
    """
    return f"{prefix}{limit.identity.hex()}:{hashlib.blake2b(key, digest_size=16).hexdigest()}"
