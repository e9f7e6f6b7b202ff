/** What the hooks are given: requests, responses, pieces of bodies, summaries. */
import { HeaderEdits, Headers } from "./headers.ts";
import { Reader, type Value } from "./msgpack.ts";
import type { Response } from "./response.ts";
import { bytesOf } from "./text.ts";

const STREAM = 1;
const BUFFER = 2;
const NOTHING = new Uint8Array(0);

export type Origin = "upstream" | "guest" | "gateway";
export type Outcome = "completed" | "client-aborted" | "upstream-aborted" | "gateway-aborted";
const ORIGINS: readonly Origin[] = ["upstream", "guest", "gateway"];
const OUTCOMES: readonly Outcome[] = ["completed", "client-aborted", "upstream-aborted", "gateway-aborted"];

function isDefault(value: Value): boolean {
  return value === null || (typeof value === "object" && (value as Value[]).length === 0);
}

/** The certificate that a client showed in the TLS handshake. */
export interface ClientCertificate {
  /** The subject's distinguished name as text (RFC 4514). */
  readonly subject: string;
  /** The alternative names with their kind, such as `DNS:a.example`. */
  readonly names: readonly string[];
  /** SHA-256 of the whole certificate, 64 lower-case hexadecimal digits. */
  readonly sha256: string;
  /** Whether one of the listener's authorities has signed it, and it was valid at the time of the
   * handshake. */
  readonly verified: boolean;
}

/** A record without what has its default at its end. */
function trimmed(fields: Value[]): Value[] {
  while (fields.length > 0 && isDefault(fields[fields.length - 1]!)) fields.pop();
  return fields;
}

/** Going on with these changes. */
function going(fields: Value[]): Value {
  return trimmed(fields).length === 0 ? null : [0, fields];
}

/** How a guest wants to see a body. */
class BodyMode {
  private mode: Value = null;

  stream(): void {
    this.mode = [STREAM];
  }

  buffer(limit: number): void {
    this.mode = [BUFFER, limit];
  }

  skip(): void {
    this.mode = null;
  }

  record(): Value {
    return this.mode;
  }
}

/** What a guest changes about a request beside its header fields. */
class RequestChanges {
  path: string | null = null;
  query: string | null = null;
  method: string | null = null;
  upstream: string | null = null;

  fields(headers: HeaderEdits, context: Uint8Array): Value[] {
    return [headers.edits, context, this.path, this.query, this.method, this.upstream];
  }
}

/** A request as it reached this guest: the client's head as edited by the guests before. */
export class Request {
  /** The method as sent, such as `GET`. */
  readonly method: string;
  /** The canonical path without the query. */
  readonly path: string;
  /** What follows the first `?` of the target; null if there was none. */
  readonly query: string | null;
  readonly headers: Headers;
  private readonly record: Reader;
  private readonly fields: number;
  private rest: Value[] | null = null;
  private changes: RequestChanges | null = null;
  private body: BodyMode | null = null;
  private left: Uint8Array = NOTHING;

  constructor(head: Uint8Array) {
    const record = (this.record = new Reader(head));
    this.fields = record.array();
    this.method = record.text();
    this.path = record.text();
    this.query = record.optionalText();
    this.headers = new Headers(record);
  }

  /** A field behind the header fields. */
  private field<T extends Value>(index: number): T {
    if (this.rest === null) {
      this.record.at = this.headers.behind();
      this.rest = [];
      for (let left = this.fields - 4; left > 0; left--) this.rest.push(this.record.value());
    }
    return (this.rest[index] ?? null) as T;
  }

  /** `http` or `https`: how the client reached the gateway. */
  get scheme(): string {
    return this.field(0);
  }

  /** Host and optional port that the client asked for. */
  get authority(): string {
    return this.field(1);
  }

  /** The client's address as text, after trusted proxies are resolved; empty when unknown. */
  get client(): string {
    return this.field(2);
  }

  get requestId(): string {
    return this.field(3);
  }

  /** The name of the route that was chosen. */
  get route(): string {
    return this.field(4);
  }

  /** `1.0`, `1.1`, `2` or `3`. */
  get httpVersion(): string {
    return this.field(5);
  }

  /** The certificate that the client showed, or null when the listener asks for none or it showed
   * none. */
  get clientCertificate(): ClientCertificate | null {
    const shown = this.field<[string, string[], string, boolean] | null>(6);
    return shown && { subject: shown[0], names: shown[1], sha256: shown[2], verified: shown[3] };
  }

  private get changed(): RequestChanges {
    return (this.changes ??= new RequestChanges());
  }

  /** A new path: canonical, beginning with `/`. It does not choose another route. */
  setPath(path: string): void {
    this.changed.path = path;
  }

  /** A new query without `?`; an empty one removes it. */
  setQuery(query: string): void {
    this.changed.query = query;
  }

  /** A new method; the gateway refuses `CONNECT`. */
  setMethod(method: string): void {
    this.changed.method = method;
  }

  /** Chooses a configured upstream; the guest's configuration has to allow it. */
  setUpstream(name: string): void {
    this.changed.upstream = name;
  }

  /** Leaves bytes for this guest's later hooks on the same request. */
  setContext(context: string | Uint8Array): void {
    this.left = bytesOf(context);
  }

  /** Lets `onRequestChunk` see the body chunk by chunk, as it arrives. */
  streamBody(): void {
    (this.body ??= new BodyMode()).stream();
  }

  /** Lets `onRequestChunk` see the body whole; more than `limit` bytes are answered 413. */
  bufferBody(limit: number): void {
    (this.body ??= new BodyMode()).buffer(limit);
  }

  /** Lets the body pass by this guest, which is the default. */
  skipBody(): void {
    this.body = null;
  }

  /** The contract's `request-action`. */
  action(response: Response | null | undefined): Value {
    if (response) return [1, this.left.length > 0 ? [response.record(), this.left] : [response.record()]];
    if (this.changes === null && this.body === null && this.left.length === 0) {
      const edits = this.headers.edits;
      return edits.length === 0 ? null : [0, [edits]];
    }
    return going([...this.changed.fields(this.headers, this.left), this.body === null ? null : this.body.record()]);
  }
}

/** A response before it goes to the client: as edited by the guests further down the chain. */
export class IncomingResponse {
  readonly status: number;
  readonly headers: Headers;
  private readonly record: Reader;
  private newStatus: number | null = null;
  private readonly body = new BodyMode();

  /** `context` is what this guest's `onRequest` left. */
  constructor(
    head: Uint8Array,
    readonly context: Uint8Array,
  ) {
    const record = (this.record = new Reader(head));
    record.array();
    this.status = record.value() as number;
    this.headers = new Headers(record);
  }

  /** Who made it. */
  get origin(): Origin {
    this.record.at = this.headers.behind();
    return ORIGINS[this.record.value() as number]!;
  }

  /** A new status, 200 to 599. */
  setStatus(status: number): void {
    this.newStatus = status;
  }

  /** Lets `onResponseChunk` see the body chunk by chunk, as it arrives. */
  streamBody(): void {
    this.body.stream();
  }

  /** Lets `onResponseChunk` see the body whole; one of more than `limit` bytes is a 502. */
  bufferBody(limit: number): void {
    this.body.buffer(limit);
  }

  /** Lets the body pass by this guest, which is the default. */
  skipBody(): void {
    this.body.skip();
  }

  /** The contract's `response-action`. */
  action(response: Response | null | undefined): Value {
    if (response) return [1, response.record()];
    return going([this.headers.edits, this.newStatus, this.body.record()]);
  }
}

/** Changes to a request's head that is held while its body is buffered. */
export class HeldRequest {
  readonly headers = new HeaderEdits();
  private readonly changes = new RequestChanges();

  setPath(path: string): void {
    this.changes.path = path;
  }

  setQuery(query: string): void {
    this.changes.query = query;
  }

  setMethod(method: string): void {
    this.changes.method = method;
  }

  setUpstream(name: string): void {
    this.changes.upstream = name;
  }

  /** The contract's `request-edits`. */
  record(): Value {
    return trimmed(this.changes.fields(this.headers, NOTHING));
  }
}

/** Changes to a response's head that is held while its body is buffered. */
export class HeldResponse {
  readonly headers = new HeaderEdits();
  private status: number | null = null;

  setStatus(status: number): void {
    this.status = status;
  }

  /** The contract's `response-edits`. */
  record(): Value {
    return trimmed([this.headers.edits, this.status]);
  }
}

/** A piece of a message's body. `bytes` is empty for an end that comes alone. */
class Chunk<Head extends { record(): Value }> {
  private held: Head | null = null;
  private instead: Uint8Array | null = null;

  constructor(
    private readonly newHead: () => Head,
    readonly bytes: Uint8Array,
    readonly isLast: boolean,
    readonly context: Uint8Array,
  ) {}

  /** The message's head, to change it while it is held: after `bufferBody` only. */
  get head(): Head {
    return (this.held ??= this.newHead());
  }

  /** Sends something else in place of this chunk; something empty sends nothing for it. */
  replace(bytes: string | Uint8Array): void {
    this.instead = bytesOf(bytes);
  }

  /** The contract's `request-body-action` or `response-body-action`. */
  action(response: Response | null | undefined): Value {
    if (response) return [1, response.record()];
    if (this.held !== null) return [2, trimmed([this.held.record(), this.instead])];
    return this.instead === null ? null : [0, this.instead];
  }
}

/** A piece of a request's body, for a guest whose `onRequest` asked for it. */
export class RequestChunk extends Chunk<HeldRequest> {
  constructor(bytes: Uint8Array, isLast: boolean, context: Uint8Array) {
    super(() => new HeldRequest(), bytes, isLast, context);
  }
}

/** A piece of a response's body, for a guest whose `onResponse` asked for it. */
export class ResponseChunk extends Chunk<HeldResponse> {
  constructor(bytes: Uint8Array, isLast: boolean, context: Uint8Array) {
    super(() => new HeldResponse(), bytes, isLast, context);
  }
}

/** What happened to a request. Times are microseconds; `status` is 0 when the client got none. */
export class Summary {
  readonly requestId: string;
  readonly method: string;
  readonly path: string;
  readonly query: string | null;
  readonly route: string;
  readonly authority: string;
  readonly client: string;
  readonly httpVersion: string;
  readonly startedAt: number;
  readonly duration: number;
  readonly status: number;
  readonly requestBytes: number;
  readonly responseBytes: number;
  readonly outcome: Outcome;
  readonly origin: Origin;
  readonly upstream: string | null;
  readonly upstreamDuration: number | null;
  readonly endpoint: string | null;
  readonly tries: number;

  /** `context` is what this guest's `onRequest` left. */
  constructor(
    record: Uint8Array,
    readonly context: Uint8Array,
  ) {
    const reader = new Reader(record);
    let left = reader.array();
    const next = (): Value => (left-- > 0 ? reader.value() : null);
    this.requestId = next() as string;
    this.method = next() as string;
    this.path = next() as string;
    this.query = next() as string | null;
    this.route = next() as string;
    this.authority = next() as string;
    this.client = next() as string;
    this.httpVersion = next() as string;
    this.startedAt = next() as number;
    this.duration = next() as number;
    this.status = next() as number;
    this.requestBytes = next() as number;
    this.responseBytes = next() as number;
    this.outcome = OUTCOMES[next() as number]!;
    this.origin = ORIGINS[next() as number]!;
    this.upstream = next() as string | null;
    this.upstreamDuration = next() as number | null;
    this.endpoint = next() as string | null;
    this.tries = (next() as number | null) ?? 0;
  }
}
