// Unit tests of a guest in node, without a gateway.

import { setFlagsFromString } from "node:v8";

import { Instance } from "./instance.mjs";
import { pack, unpack } from "./msgpack.mjs";

export { HttpFailure } from "./stand-ins.mjs";

const EDITS = ["set", "append", "remove"];
const BODIES = ["skip", "stream", "buffer"];
const ORIGINS = ["upstream", "guest", "gateway"];
const OUTCOMES = ["completed", "clientAborted", "upstreamAborted", "gatewayAborted"];

/**
 * A guest under test, and stand-ins for the host's functions that record what they were asked.
 *
 * ```js
 * const module = await Harness.compile(".");
 * const harness = new Harness(module, { config: { limit: 1 } });
 * const action = harness.onRequest({ path: "/", headers: [["x-principal", "ann"]] });
 * assert.equal(action.response, null);
 * ```
 *
 * The context that `onRequest` leaves goes to the later hooks, until the next request.
 */
export class Harness {
  #instance;
  #context = Buffer.alloc(0);

  /** Compiles the guest in a folder, or one source file; throws what the build would throw. */
  static async compile(path) {
    // The compiler is WebAssembly itself and runs once: optimizing its code costs as much again.
    setFlagsFromString("--liftoff-only");
    const { compile } = await import("../build.mjs");
    return (await compile(path)).module;
  }

  /** Starts an instance and configures it; throws an error with the message of a guest that
   * refuses. */
  constructor(module, { config = {} } = {}) {
    this.#instance = new Instance(module);
    const problem = this.#instance.has("configure") ? this.#instance.configure(config) : null;
    if (problem !== null) throw new Error(problem);
  }

  /**
   * Calls `onRequest`. What is left out is that of a plain `GET /` over HTTP/1.1.
   *
   * @returns `{ response, edits, headers, header(name) }`: the response for the client, or null
   * when the request goes on; the changes; the header fields with the changes
   */
  onRequest({
    method = "GET", path = "/", query = null, headers = [], scheme = "http", authority = "localhost",
    client = "127.0.0.1", requestId = "test", route = "test", httpVersion = "1.1",
  } = {}) {
    const rest = [scheme, authority, client, requestId, route, httpVersion];
    const answer = unpack(this.#instance.call("onRequest", pack([method, path, query, fields(headers), ...rest])));
    const [kind, payload] = answer ?? [0, []];
    const [changed, context] = kind ? [[], payload[1]] : payload;
    this.#context = context ?? Buffer.alloc(0);
    return action(kind ? payload[0] : null, headers, requestEdits(kind ? [changed] : payload));
  }

  /** Calls `onResponse`. What is left out is that of an empty 200 of the upstream. Returns the same
   * as `onRequest`. */
  onResponse({ status = 200, headers = [], origin = "upstream" } = {}) {
    const head = pack([status, fields(headers), ORIGINS.indexOf(origin)]);
    const [kind, payload] = unpack(this.#instance.call("onResponse", head, this.#context)) ?? [0, []];
    return action(kind ? payload : null, headers, responseEdits(kind ? [] : payload));
  }

  /** Calls `onRequestChunk`: `{ response, replacement, head }`, each null when there is none. */
  onRequestChunk(bytes, last = true) {
    return this.#chunk("onRequestChunk", bytes, last, requestEdits);
  }

  /** Calls `onResponseChunk`: `{ response, replacement, head }`, each null when there is none. */
  onResponseChunk(bytes, last = true) {
    return this.#chunk("onResponseChunk", bytes, last, responseEdits);
  }

  /** Calls `onComplete`. What is left out is that of a plain `GET /` that the upstream `test`
   * answered with 200. */
  onComplete({
    requestId = "test", method = "GET", path = "/", query = null, route = "test", authority = "localhost",
    client = "127.0.0.1", httpVersion = "1.1", startedAt = 1_767_225_600_000_000, duration = 1000, status = 200,
    requestBytes = 0, responseBytes = 0, outcome = "completed", origin = "upstream", upstream = "test",
    upstreamDuration = 900, endpoint = "http://10.0.0.1:9000", tries = 1,
  } = {}) {
    const text = [requestId, method, path, query, route, authority, client, httpVersion];
    const numbers = [startedAt, duration, status, requestBytes, responseBytes];
    const rest = [OUTCOMES.indexOf(outcome), ORIGINS.indexOf(origin), upstream, upstreamDuration, endpoint, tries];
    this.#instance.call("onComplete", pack([...text, ...numbers, ...rest]), this.#context);
  }

  /** The bytes that the last `onRequest` left for the later hooks. */
  get context() {
    return this.#context;
  }

  /** The lines, `[level, message]`, written since the last time this was asked. */
  logs() {
    return this.#instance.host.logs.splice(0);
  }

  /** What the guest has said of its metrics: `[name, kind, help, unit, bounds]` of each time. */
  descriptions() {
    return this.#instance.host.descriptions;
  }

  /** The calls of the host's functions, but for the log, since the last time this was asked:
   * `["kv.get", "key"]`. */
  calls() {
    return this.#instance.host.calls.splice(0);
  }

  /**
   * Lets `service({ method, url, headers, content, timeout })` answer what the guest asks HTTP
   * services: `{ status, headers, body }`, or an `HttpFailure`, which it throws. Without it every
   * target is unreachable.
   */
  httpService(service) {
    this.#instance.host.service = service;
  }

  /** Lets every call of `kv` fail from now on with a case of `KvError`, or with null none. */
  failKv(error) {
    this.#instance.host.kvError = error;
  }

  /** Lets milliseconds go by. The clock stands still otherwise; it begins at 2026-01-01 UTC. Keys
   * expire by it. */
  advanceClock(milliseconds) {
    this.#instance.host.elapsed += BigInt(milliseconds) * 1_000_000n;
  }

  /** Begins another sequence of random numbers. Without it every harness has the same. */
  seedRandom(seed) {
    this.#instance.host.random = BigInt(seed);
  }

  #chunk(hook, bytes, last, edits) {
    const answer = unpack(this.#instance.call(hook, Buffer.from(bytes), last, this.#context));
    if (answer === null) return { response: null, replacement: null, head: null };
    const [kind, payload] = answer;
    if (kind === 1) return { response: responseOf(payload), replacement: null, head: null };
    if (kind === 0) return { response: null, replacement: payload, head: null };
    return { response: null, replacement: payload[1] ?? null, head: edits(payload[0]) };
  }
}

function fields(headers) {
  return headers.map(([name, value]) => [name.toLowerCase(), Buffer.from(value)]);
}

function action(response, headers, edits) {
  const edited = apply(headers, edits.headers);
  return {
    response: response && responseOf(response),
    edits,
    headers: edited,
    header: (name) => first(edited, name),
  };
}

function responseOf([status, sent, content]) {
  const headers = sent.map(([name, value]) => [name, value.toString()]);
  return { status, headers, header: (name) => first(headers, name), content: content.toString() };
}

function first(headers, name) {
  return headers.find(([field]) => field === name.toLowerCase())?.[1] ?? null;
}

function apply(headers, edits) {
  let edited = headers.map(([name, value]) => [name.toLowerCase(), value.toString()]);
  for (const [kind, name, value] of edits) {
    if (kind !== "append") edited = edited.filter(([field]) => field !== name);
    if (kind !== "remove") edited.push([name, value]);
  }
  return edited;
}

function headerEdits(edits = []) {
  return edits.map(([kind, edit]) =>
    EDITS[kind] === "remove" ? ["remove", edit] : [EDITS[kind], edit[0], edit[1].toString()],
  );
}

function bodyMode(mode) {
  return mode ? { mode: BODIES[mode[0]], ...(mode.length > 1 && { limit: mode[1] }) } : { mode: "skip" };
}

function requestEdits([headers, , path = null, query = null, method = null, upstream = null, body = null]) {
  return { headers: headerEdits(headers), path, query, method, upstream, body: bodyMode(body) };
}

function responseEdits([headers, status = null, body = null]) {
  return { headers: headerEdits(headers), status, body: bodyMode(body) };
}
