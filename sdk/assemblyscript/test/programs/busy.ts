// Does something in every hook, and calls every function of the host.

import {
  clock, Config, Guest, http, HttpError, IncomingResponse, kv, KvError, log, MetricKind, metrics, random, Request,
  RequestChunk, Response, ResponseChunk, Summary,
} from "@sentinel-gateway/assemblyscript";

export class Busy extends Guest {
  private limit: u32 = 0;

  configure(config: Config): string | null {
    this.limit = <u32>config.int("limit", 9);
    return this.limit ? config.finish() : "limit: at least 1";
  }

  onRequest(request: Request): Response | null {
    const path = request.path;
    request.setContext(path);
    if (request.method == "CALL") return new Response().body(call(path.substring(1)));
    if (request.method == "DELETE") {
      const refusal = new Response(405).header("Allow", "GET").header("x-grün", "ü").body("no");
      const shown = refusal.getHeader("ALLOW")! + refusal.getHeader("X-Grün")! + (refusal.getHeader("x") === null).toString();
      log.info(shown + String.UTF8.decode(refusal.content.buffer) + new Response().content.length.toString());
      return refusal;
    }
    request.headers.set("x-new", "1");
    request.headers.remove("x-old");
    request.bufferBody(this.limit);
    return null;
  }

  onResponse(response: IncomingResponse): Response | null {
    if (response.status == 500) return new Response(502);
    response.headers.set("x-path", response.context);
    response.setStatus(201);
    return null;
  }

  onComplete(summary: Summary): void {
    log.info(summary.context.toString() + " " + summary.status.toString());
  }

  onRequestChunk(chunk: RequestChunk): Response | null {
    if (!chunk.isLast) return null;
    chunk.head.headers.set("x-length", chunk.bytes.length.toString());
    chunk.replace(chunk.context);
    return null;
  }

  onResponseChunk(chunk: ResponseChunk): Response | null {
    return new Response(500).body("bad");
  }
}

function call(name: string): string {
  if (name == "clock") return clock.wall().toString() + " " + clock.monotonic().toString();
  if (name == "random") return random.number().toString() + " " + random.bytes(9).join(" ");
  if (name == "metrics") {
    metrics.add("m", [["a", "b"]], 4);
    metrics.observe("o", null, 0.5);
    metrics.describe("m", MetricKind.counter, "Größe.");
    metrics.describe("o_bytes", MetricKind.histogram, "", "bytes", [1, 2.5]);
  } else if (name == "http") {
    const answer = http.post("http://a/", "body").header("X-A", "1").timeout(7).send();
    if (answer === null) return http.errorMessage();
    return answer.status.toString() + " " + answer.text;
  } else if (name == "set") kv.setString("k", "v", 2000);
  else if (name == "long") kv.getString("k".repeat(1025));
  else if (name == "delete") return kv.delete("k").toString();
  else if (name == "add") return kv.add("k", 2, 0).toString() + " " + kv.errorMessage();
  else {
    const value = kv.getString("k");
    if (kv.error() == KvError.none) return value === null ? "none" : value;
  }
  return kv.errorMessage();
}
