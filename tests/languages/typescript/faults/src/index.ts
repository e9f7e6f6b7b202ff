// A guest that does what the query says: it calls the host's functions, and fails in each way.
import {
  clock,
  decodeText,
  Guest,
  HttpError,
  http,
  type IncomingResponse,
  KvError,
  kv,
  metrics,
  type Request,
  type RequestChunk,
  Response,
  type ResponseChunk,
  random,
  type Summary,
} from "@sentinel-gateway/sdk";

function deeper(): never {
  throw new Error("the author's own"); // tests look for this line
}

function recursion(depth: number): number {
  return recursion(depth + 1) + 1;
}

function reason(call: () => unknown): string {
  try {
    return String(call());
  } catch (error) {
    if (error instanceof KvError || error instanceof HttpError) return error.reason;
    throw error;
  }
}

const WAYS: Record<string, () => string | Promise<string>> = {
  throw: () => deeper(),
  "throw-later": async () => {
    await Promise.resolve();
    return deeper();
  },
  never: () => new Promise<string>(() => {}),
  recursion: () => String(recursion(0)),
  loop: () => {
    for (;;);
  },
  memory: () => {
    for (const kept: Uint8Array[] = []; ; ) kept.push(new Uint8Array(1 << 16).fill(1));
  },
  time: () => `${BigInt(clock.wall())} ${Date.now()} ${new Date().toISOString()}`,
  random: () => `${random.bytes(8).length} ${random.number()} ${Math.random()}`,
  kv: () => {
    kv.set("text", "some");
    const sum = kv.add("n", 5) + kv.add("n", -3);
    return `${sum} ${decodeText(kv.get("text")!)} ${kv.get("none")} ${kv.delete("n")} ${reason(() => kv.add("text"))}`;
  },
  http: async () => {
    const [answer] = await Promise.all([http.get("http://service/", { headers: { "x-a": "b" } })]);
    const denied = await http.post("http://other/", "body").catch((error: HttpError) => error.reason);
    return `${answer!.status} ${answer!.text()} ${denied}`;
  },
  metrics: () => {
    metrics.add("asked", 2, { how: "well" });
    metrics.observe("seconds", 0.3);
    metrics.describe("asked", "counter", { help: "Things that were asked." });
    metrics.describe("seconds", "histogram", { unit: "seconds", bounds: [1, 2.5] });
    metrics.describe("seconds", "counter");
    return "";
  },
  print: () => {
    console.log("printed", 1, { a: [1] });
    console.warn("complained");
    console.error(new TypeError("shown"));
    return "";
  },
  text: () => new TextDecoder().decode(new TextEncoder().encode("grüße")),
};

export default class Faults extends Guest {
  async onRequest(request: Request): Promise<Response | null> {
    const way = WAYS[request.query ?? ""];
    if (way) return new Response(200, {}, await way());
    if (request.path === "/body") request.bufferBody(1000);
    request.headers.set("x-seen", `${request.client} / ${request.headers.count("a")}`);
    request.setContext(request.path);
    return null;
  }

  onRequestChunk(chunk: RequestChunk): void {
    chunk.head.headers.set("x-length", String(chunk.bytes.length));
    chunk.replace(decodeText(chunk.bytes).toUpperCase());
  }

  onResponse(response: IncomingResponse): void {
    response.headers.set("x-context", decodeText(response.context));
    response.streamBody();
  }

  onResponseChunk(chunk: ResponseChunk): void {
    chunk.replace(decodeText(chunk.bytes).replace("world", "moon"));
  }

  onComplete(summary: Summary): void {
    console.debug(summary.path, summary.status, decodeText(summary.context));
  }
}
