/** Hooks from bytes to bytes, for the component and for unit tests alike. */
import { readConfig, type Schema } from "./config.ts";
import { ConfigError } from "./errors.ts";
import type { Answer, Guest, GuestClass } from "./guest.ts";
import { IncomingResponse, Request, RequestChunk, ResponseChunk, Summary } from "./messages.ts";
import { pack, Reader, type Value } from "./msgpack.ts";

export const HOOKS = ["onRequest", "onResponse", "onComplete", "onRequestChunk", "onResponseChunk"] as const;

const NIL = pack(null);
const NO_SETTINGS: Schema = { type: "object", properties: {}, additionalProperties: false };

/** A message that may answer. */
interface Answerable {
  action(answer: Answer): Value;
}

function answered(message: Answerable, answer: Answer): Uint8Array {
  const action = message.action(answer as Exclude<Answer, void>);
  return action === null ? NIL : pack(action);
}

function settingsOf(data: Uint8Array): Value {
  try {
    return new Reader(data, 0, true).value();
  } catch (error) {
    throw new ConfigError(`the configuration cannot be read: ${(error as Error).message}`);
  }
}

type Bytes = Uint8Array | Promise<Uint8Array>;

/** One instance of a guest. */
export class Runner {
  readonly guest: Guest<unknown>;

  constructor(private readonly kind: GuestClass) {
    this.guest = new kind() as Guest<unknown>;
  }

  /** Throws ConfigError for a configuration that is refused. */
  configure(data: Uint8Array): void {
    const schema = (this.kind.schema as Schema | undefined) ?? NO_SETTINGS;
    // Read first: a guest without `configure` refuses settings, too.
    const config = readConfig(schema, settingsOf(data));
    this.guest.configure?.(config);
  }

  onRequest(head: Uint8Array): Bytes {
    const request = new Request(head);
    return this.finish(request, this.guest.onRequest!(request));
  }

  onResponse(head: Uint8Array, context: Uint8Array): Bytes {
    const response = new IncomingResponse(head, context);
    return this.finish(response, this.guest.onResponse!(response));
  }

  onComplete(summary: Uint8Array, context: Uint8Array): void | Promise<void> {
    return this.guest.onComplete!(new Summary(summary, context));
  }

  onRequestChunk(bytes: Uint8Array, isLast: boolean, context: Uint8Array): Bytes {
    const chunk = new RequestChunk(bytes, isLast, context);
    return this.finish(chunk, this.guest.onRequestChunk!(chunk));
  }

  onResponseChunk(bytes: Uint8Array, isLast: boolean, context: Uint8Array): Bytes {
    const chunk = new ResponseChunk(bytes, isLast, context);
    return this.finish(chunk, this.guest.onResponseChunk!(chunk));
  }

  private finish(message: Answerable, answer: Answer | Promise<Answer>): Bytes {
    if (answer instanceof Promise) return answer.then((settled) => answered(message, settled));
    return answered(message, answer);
  }
}

/** A refusal of a configuration as the operator reads it; anything else is thrown on. */
export function refusalOf(error: unknown): string {
  if (error instanceof ConfigError) return error.message;
  throw error;
}
