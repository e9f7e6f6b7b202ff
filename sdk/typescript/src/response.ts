import type { Value } from "./msgpack.ts";
import { bytesOf, decodeText } from "./text.ts";

export type HeaderFields = Record<string, string | Uint8Array> | Iterable<readonly [string, string | Uint8Array]>;

export function pairsOf(headers: HeaderFields): [string, Uint8Array][] {
  const pairs =
    Symbol.iterator in headers
      ? [...(headers as Iterable<readonly [string, string | Uint8Array]>)]
      : Object.entries(headers);
  return pairs.map(([name, value]) => [name.toLowerCase(), bytesOf(value)]);
}

/** A response made by a guest, or the answer of an HTTP service. `status` is 200 to 599; the
 * gateway writes the body's length. */
export class Response {
  readonly headers: [string, Uint8Array][];
  readonly body: Uint8Array;

  constructor(
    readonly status: number = 200,
    headers: HeaderFields = {},
    body: string | Uint8Array = "",
  ) {
    this.headers = pairsOf(headers);
    this.body = bytesOf(body);
  }

  /** A response whose body is `value` in JSON. */
  static json(value: unknown, status = 200, headers: Record<string, string> = {}): Response {
    return new Response(status, { "content-type": "application/json", ...headers }, JSON.stringify(value));
  }

  /** The first value of that name as text, or null. */
  header(name: string): string | null {
    const wanted = name.toLowerCase();
    const found = this.headers.find(([each]) => each === wanted);
    return found ? decodeText(found[1]) : null;
  }

  /** The body as text. */
  text(): string {
    return decodeText(this.body);
  }

  /** The contract's `response`. */
  record(): Value {
    return [this.status, this.headers, this.body];
  }
}
