/** Throw it in `configure` to refuse the configuration; the operator reads the message. */
export class ConfigError extends Error {
  override readonly name = "ConfigError";
}

export type KvReason = "full" | "too-large" | "not-a-number" | "unavailable";

/** A call of `kv` came to nothing. */
export class KvError extends Error {
  override readonly name = "KvError";

  constructor(readonly reason: KvReason) {
    super(reason);
  }
}

export type HttpReason = "denied" | "invalid" | "too-many" | "timeout" | "unreachable" | "too-large";

/** A call of `http` came to nothing. */
export class HttpError extends Error {
  override readonly name = "HttpError";

  constructor(readonly reason: HttpReason) {
    super(reason);
  }
}

/** What a host's function threw: an error whose message is the case's name. */
export function reasonOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
