import { takeList } from "./lists";
import { Reader } from "./reader";
import { decode } from "./utf8";
import { Writer } from "./writer";

// @ts-ignore: decorator
@external("sentinel:gateway/http-client@0.1.0", "send")
declare function hostSend(request: usize, length: usize, area: usize): void;

/** How a call went; behind `none` in the order of the contract's `error`. */
export enum HttpError {
  /** There was an answer. */
  none,
  /** The configuration does not allow the target, or its address; or the guest is only being
   * started. */
  denied,
  /** The request is not what the contract says. */
  invalid,
  /** More calls in one hook than the configuration allows. */
  tooMany,
  /** There was no whole answer in time. */
  timeout,
  /** There was no connection, or it broke off, or what came was not HTTP. */
  unreachable,
  /** The request or the answer is larger than the configuration allows. */
  tooLarge,
}

const MESSAGES: StaticArray<string> = [
  "there was an answer",
  "the target is not allowed",
  "the request is not valid",
  "too many calls in one hook",
  "there was no answer in time",
  "the target could not be reached",
  "the request or the answer is too large",
];
const area = memory.data(12, 4);
let last: HttpError = HttpError.none;

/**
 * Asking an HTTP service in the middle of a hook: `http.get("https://auth.example/status").send()`.
 * Needs the grant `http-client`, and a configuration that allows the target. The guest is suspended
 * meanwhile: the gateway serves others, and the time does not count against the guest's deadline.
 * Redirects are answers like any other.
 */
export namespace http {
  /** How the last call went. */
  export function error(): HttpError {
    return last;
  }

  /** The same in words. */
  export function errorMessage(): string {
    return MESSAGES[last];
  }

  /** A request with the method GET. */
  export function get(url: string): HttpRequest {
    return new HttpRequest("GET", url);
  }

  /** A request with the method POST; the body is as for `HttpRequest.body`. */
  export function post<V>(url: string, body: V): HttpRequest {
    return new HttpRequest("POST", url).body<V>(body);
  }
}

/** A request in the making. */
@final
export class HttpRequest {
  private fields: Writer = new Writer(0);
  private count: i32 = 0;
  private content: Writer = new Writer(0);
  private limit: i64 = -1;

  /** The URL is `http://` or `https://`, host, optional port, path and query. */
  constructor(private method: string, private url: string) {}

  /** Adds a header field. The value is a string (sent as UTF-8), a `Bytes`, a `Uint8Array` or an
   * `ArrayBuffer`. */
  header<V>(name: string, value: V): this {
    ++this.count;
    this.fields.array(2);
    this.fields.name(name);
    this.fields.bytes<V>(value);
    return this;
  }

  /** Sets the whole body: a string (sent as UTF-8), a `Bytes`, a `Uint8Array` or an
   * `ArrayBuffer`. */
  body<V>(value: V): this {
    this.content.reset();
    this.content.bytes<V>(value);
    return this;
  }

  /** How many milliseconds all of it may take; never more than the configuration says. */
  timeout(milliseconds: u32): this {
    this.limit = milliseconds;
    return this;
  }

  /** Sends it, and waits for the whole answer; null when `http.error()` tells why there is none. */
  send(): HttpResponse | null {
    const record = new Writer();
    record.array(5);
    record.str(this.method);
    record.str(this.url);
    record.array(this.count);
    record.raw(this.fields);
    if (this.content.length) record.raw(this.content);
    else record.bin(0, 0);
    if (this.limit < 0) record.nil();
    else record.uint(this.limit);
    hostSend(record.pointer, record.length, area);
    last = load<u8>(area) ? <HttpError>(load<u8>(area, 4) + 1) : HttpError.none;
    return last == HttpError.none ? new HttpResponse(takeList(area + 4)) : null;
  }
}

/** The answer; it may be kept. */
@final
export class HttpResponse {
  /** The status. */
  status: u16 = 0;
  /** The whole body. */
  body: Uint8Array = new Uint8Array(0);
  private names: string[] = [];
  private values: string[] = [];

  /** Made by the SDK of the answer's record. */
  constructor(record: Uint8Array) {
    const reader = new Reader();
    reader.reset(record.dataStart, record.length);
    reader.array();
    this.status = <u16>reader.uint();
    for (let left = reader.array(); left > 0; --left) {
      reader.array();
      this.names.push(reader.string());
      const length = reader.bin();
      this.values.push(decode(reader.position - length, length));
    }
    const length = reader.bin();
    this.body = record.slice(<i32>(reader.position - length - record.dataStart), <i32>(reader.position - record.dataStart));
  }

  /** The value of the first header field of that name, whatever its case, or null. */
  header(name: string): string | null {
    const at = this.names.indexOf(name.toLowerCase());
    return at < 0 ? null : this.values[at];
  }

  /** The body as text. */
  get text(): string {
    return decode(this.body.dataStart, this.body.length);
  }
}
