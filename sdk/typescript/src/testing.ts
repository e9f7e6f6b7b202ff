/** Unit tests of guests in Node: `Harness` calls the hooks as the gateway does, and shows what came
 * of it. */
import type { GuestClass } from "./guest.ts";
import { pack, unpack, type Value } from "./msgpack.ts";
import { type HeaderFields, pairsOf, Response } from "./response.ts";
import { Runner, refusalOf } from "./runner.ts";
import { type HttpService, type OutboundRequest, StandIns, use } from "./stand-ins.ts";
import { bytesOf, decodeText } from "./text.ts";

export type { HttpService, OutboundRequest };

export interface RequestInit {
  method?: string;
  path?: string;
  query?: string | null;
  headers?: HeaderFields;
  client?: string;
  route?: string;
}

export interface ResponseInit {
  status?: number;
  headers?: HeaderFields;
  context?: string | Uint8Array;
}

export interface ChunkInit {
  last?: boolean;
  context?: string | Uint8Array;
}

type Edit = [number, [string, Uint8Array] | string];

/** What a hook answered. */
export class Result {
  readonly response: Response | null;
  /** Header edits as `["set", name, value]` or `["remove", name]`. */
  readonly edits: string[][];
  readonly context: Uint8Array;
  readonly path: string | null;
  readonly query: string | null;
  readonly method: string | null;
  readonly upstream: string | null;
  readonly status: number | null;
  /** `skip`, `stream`, or the limit of a buffered body. */
  readonly body: "skip" | "stream" | number;
  /** What is sent in place of the chunk; null for the chunk as it is. */
  readonly chunk: Uint8Array | null;

  constructor(
    readonly bytes: Uint8Array,
    hook: string,
    private readonly headers: readonly (readonly [string, Uint8Array])[],
  ) {
    const [action, payload] = (unpack(bytes) ?? [-1, null]) as [number, Value];
    const isChunk = hook.endsWith("Chunk");
    const held = isChunk && action === 2 ? (payload as [Value[], Uint8Array?]) : null;
    const edits = (held ? held[0] : !isChunk && action === 0 ? payload : []) as Value[];
    const isRequest = hook.startsWith("onRequest");
    const [status, fields, body] = (action !== 1 ? [] : hook === "onRequest" ? (payload as Value[])[0] : payload) as [
      number,
      [string, Uint8Array][],
      Uint8Array,
    ];
    this.response = action === 1 ? new Response(status, fields, body) : null;
    const kinds = ["set", "append", "remove"];
    this.edits = ((edits[0] ?? []) as Edit[]).map(([kind, what]) =>
      typeof what === "string" ? [kinds[kind]!, what] : [kinds[kind]!, what[0], decodeText(what[1])],
    );
    const later = (index: number): string | null => (isRequest ? ((edits[index] ?? null) as string | null) : null);
    const left = action === 1 && hook === "onRequest" ? (payload as Value[])[1] : isRequest ? edits[1] : undefined;
    this.context = (left ?? new Uint8Array(0)) as Uint8Array;
    this.path = later(2);
    this.query = later(3);
    this.method = later(4);
    this.upstream = later(5);
    this.status = isRequest ? null : ((edits[1] ?? null) as number | null);
    const mode = (edits[isRequest ? 6 : 2] ?? [0]) as number[];
    this.body = mode[0] === 2 ? mode[1]! : mode[0] === 1 ? "stream" : "skip";
    this.chunk = (held ? (held[1] ?? null) : isChunk && action === 0 ? payload : null) as Uint8Array | null;
  }

  /** The first value of a header field with the edits applied, or null. */
  header(name: string): string | null {
    let fields = this.headers.map(([each, value]) => [each, decodeText(value)]);
    for (const [kind, edited, value] of this.edits) {
      if (kind !== "append") fields = fields.filter(([each]) => each !== edited);
      if (value !== undefined) fields.push([edited!, value]);
    }
    return fields.find(([each]) => each === name.toLowerCase())?.[1] ?? null;
  }
}

/** One instance of a guest, configured. Throws what `configure` refused as an error. */
export class Harness {
  readonly host = new StandIns();
  private readonly runner: Runner;

  constructor(kind: GuestClass, config: object = {}) {
    use(this.host);
    this.runner = new Runner(kind);
    const refusal = this.refusal(config);
    if (refusal !== null) throw new Error(refusal);
  }

  get logs(): [string, string][] {
    return this.host.logs;
  }

  private refusal(config: object): string | null {
    try {
      this.runner.configure(pack(config as Value));
      return null;
    } catch (error) {
      return refusalOf(error);
    }
  }

  async onRequest(request: RequestInit = {}): Promise<Result> {
    const { method = "GET", path = "/", query = null, client = "127.0.0.1", route = "/" } = request;
    const headers = pairsOf(request.headers ?? {});
    const head = [method, path, query, headers, "http", "localhost", client, "test", route, "1.1"];
    return this.call("onRequest", headers, () => this.runner.onRequest(pack(head)));
  }

  async onResponse(response: ResponseInit = {}): Promise<Result> {
    const headers = pairsOf(response.headers ?? {});
    const head = pack([response.status ?? 200, headers, 0]);
    return this.call("onResponse", headers, () => this.runner.onResponse(head, bytesOf(response.context ?? "")));
  }

  async onRequestChunk(bytes: string | Uint8Array, init: ChunkInit = {}): Promise<Result> {
    const call = () => this.runner.onRequestChunk(bytesOf(bytes), init.last ?? true, bytesOf(init.context ?? ""));
    return this.call("onRequestChunk", [], call);
  }

  async onResponseChunk(bytes: string | Uint8Array, init: ChunkInit = {}): Promise<Result> {
    const call = () => this.runner.onResponseChunk(bytesOf(bytes), init.last ?? true, bytesOf(init.context ?? ""));
    return this.call("onResponseChunk", [], call);
  }

  async onComplete(summary: { status?: number; context?: string | Uint8Array } = {}): Promise<void> {
    use(this.host);
    const record = [
      "test",
      "GET",
      "/",
      null,
      "/",
      "localhost",
      "127.0.0.1",
      "1.1",
      0,
      0,
      summary.status ?? 200,
      0,
      0,
      0,
      0,
    ];
    await this.runner.onComplete(pack(record), bytesOf(summary.context ?? ""));
  }

  private async call(
    hook: string,
    headers: readonly (readonly [string, Uint8Array])[],
    call: () => Uint8Array | Promise<Uint8Array>,
  ): Promise<Result> {
    use(this.host);
    return new Result(await call(), hook, headers);
  }
}
