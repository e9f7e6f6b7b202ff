import { answer, beginAnswer, editCount, finish, finishEdits, finishHeaders, nil, restart } from "./answer";
import { BodyKind, writeBodyMode } from "./body";
import { Bytes } from "./bytes";
import { ClientCertificate, clientCertificateField } from "./client-certificate";
import { HeaderEdits, Headers, PreparedEdits } from "./headers";
import { assertCurrent, currentCall, LENT } from "./memory";
import { bytesOfStringField, openRecord, optionalStringField, stringField } from "./record";
import { Response } from "./response";
import { Writer } from "./writer";

/** What a guest changes about a request's head. */
export abstract class RequestEdits {
  protected call: u32 = currentCall();
  /** Whether something beside header fields is to change. */
  protected changed: bool = false;
  private newPath: string | null = null;
  private newQuery: string | null = null;
  private newMethod: string | null = null;
  private newUpstream: string | null = null;

  /** Drops all changes beside those to header fields. */
  protected dropEdits(): void {
    this.changed = false;
    // Not by assignment: each would be a call, to tell the garbage collector.
    const start = changetype<usize>(this);
    store<usize>(start, 0, offsetof<RequestEdits>("newPath"));
    store<usize>(start, 0, offsetof<RequestEdits>("newQuery"));
    store<usize>(start, 0, offsetof<RequestEdits>("newMethod"));
    store<usize>(start, 0, offsetof<RequestEdits>("newUpstream"));
  }

  /** Adds changes to header fields that were made beforehand. */
  editHeaders(edits: PreparedEdits): void {
    assertCurrent(this.call);
    edits.apply();
  }

  /** A new path: canonical, beginning with `/`. It does not choose another route. */
  setPath(path: string): void {
    assertCurrent(this.call);
    this.changed = true;
    this.newPath = path;
  }

  /** A new query, without `?`; an empty one removes it. */
  setQuery(query: string): void {
    assertCurrent(this.call);
    this.changed = true;
    this.newQuery = query;
  }

  /** A new method; the gateway refuses `CONNECT`. */
  setMethod(method: string): void {
    assertCurrent(this.call);
    this.changed = true;
    this.newMethod = method;
  }

  /** Chooses a configured upstream by its name; the gateway's configuration has to grant it to this
   * guest. */
  setUpstream(name: string): void {
    assertCurrent(this.call);
    this.changed = true;
    this.newUpstream = name;
  }

  /** The number of fields of `request-edits` that have to be written, without body mode. */
  protected fieldCount(context: bool): i32 {
    // Addresses: comparing strings, even with null, is a call.
    if (changetype<usize>(this.newUpstream)) return 6;
    if (changetype<usize>(this.newMethod)) return 5;
    if (changetype<usize>(this.newQuery)) return 4;
    if (changetype<usize>(this.newPath)) return 3;
    return context ? 2 : editCount() ? 1 : 0;
  }

  /** Writes the fields after the context, up to `count` fields. */
  protected writeFields(count: i32): void {
    if (count > 2) writeOption(this.newPath);
    if (count > 3) writeOption(this.newQuery);
    if (count > 4) writeOption(this.newMethod);
    if (count > 5) writeOption(this.newUpstream);
  }
}

function writeOption(value: string | null): void {
  if (value === null) answer.nil();
  else answer.str(value);
}

/**
 * A request as it reached this guest: the client's head as edited by the guests before. Fields are
 * decoded when they are asked for. It is lent to `onRequest`, and using it afterwards traps.
 */
@final
export class Request extends RequestEdits {
  private fields: Headers | null = null;
  private context: Writer | null = null;
  private bodyKind: BodyKind = BodyKind.skip;
  private bodyLimit: u32 = 0;

  /** Lends it to the current call, as that got it. */
  lend(): void {
    this.call = currentCall();
    const fields = this.fields;
    if (fields !== null) fields.lend();
    if (!this.changed) return;
    this.dropEdits();
    store<usize>(changetype<usize>(this), 0, offsetof<Request>("context"));
    this.bodyKind = BodyKind.skip;
  }

  /** Header fields, end to end, in the order of arrival; reading and changing them. */
  get headers(): Headers {
    const fields = this.fields;
    if (fields !== null) return fields;
    const made = new Headers(3);
    this.fields = made;
    return made;
  }

  /** The method as sent, for example `GET`. */
  get method(): string {
    assertCurrent(this.call);
    return stringField(0);
  }

  /** The method without a copy. */
  get methodBytes(): Bytes {
    assertCurrent(this.call);
    return bytesOfStringField(0);
  }

  /** The canonical path, percent-encoded where needed, without the query. */
  get path(): string {
    assertCurrent(this.call);
    return stringField(1);
  }

  /** The path without a copy. */
  get pathBytes(): Bytes {
    assertCurrent(this.call);
    return bytesOfStringField(1);
  }

  /** What follows the first `?` of the target, or null when there was none. */
  get query(): string | null {
    assertCurrent(this.call);
    return optionalStringField(2);
  }

  /** `http` or `https`: how the client reached the gateway. */
  get scheme(): string {
    assertCurrent(this.call);
    return stringField(4);
  }

  /** Host and optional port that the client asked for. */
  get authority(): string {
    assertCurrent(this.call);
    return stringField(5);
  }

  /** The client's address as text, after trusted proxies are resolved; empty when unknown. */
  get client(): string {
    assertCurrent(this.call);
    return stringField(6);
  }

  /** The request's id: 1 to 128 characters of `[A-Za-z0-9._-]`. */
  get requestId(): string {
    assertCurrent(this.call);
    return stringField(7);
  }

  /** The name of the route that was chosen. */
  get route(): string {
    assertCurrent(this.call);
    return stringField(8);
  }

  /** `1.0`, `1.1`, `2` or `3`. */
  get httpVersion(): string {
    assertCurrent(this.call);
    return stringField(9);
  }

  /** The certificate that the client showed, or null when the listener asks for none or it showed
   * none. */
  get clientCertificate(): ClientCertificate | null {
    assertCurrent(this.call);
    return clientCertificateField(10);
  }

  /**
   * Leaves bytes for this guest's later hooks on the same request, which see them as their
   * `context`; no other guest does. A string (as UTF-8), a `Bytes`, a `Uint8Array` or an
   * `ArrayBuffer`, at most 64 KiB unless configured.
   */
  setContext<V>(value: V): void {
    assertCurrent(this.call);
    this.changed = true;
    const context = new Writer();
    context.bytes<V>(value);
    this.context = context;
  }

  /** Lets `onRequestChunk` see the body chunk by chunk, as it arrives. */
  streamBody(): void {
    assertCurrent(this.call);
    this.changed = true;
    this.bodyKind = BodyKind.stream;
  }

  /**
   * Lets `onRequestChunk` see the body whole, with the head held until it is there; one of more
   * than `limit` bytes is answered 413.
   */
  bufferBody(limit: u32): void {
    assertCurrent(this.call);
    this.changed = true;
    this.bodyKind = BodyKind.buffer;
    this.bodyLimit = limit;
  }

  /** Takes back `streamBody` or `bufferBody`: the body passes by this guest, which is the
   * default. */
  skipBody(): void {
    assertCurrent(this.call);
    this.bodyKind = BodyKind.skip;
  }

  /** The answer of `on-request`. */
  // @ts-ignore: decorator
  @inline
  finish(response: Response | null): usize {
    // An address: comparing references is a call.
    return changetype<usize>(response) || this.changed ? this.finishAll(response) : finishHeaders();
  }

  private finishAll(response: Response | null): usize {
    const hasContext = this.context !== null && this.context!.length > 2;
    if (response !== null) {
      const writer = restart();
      writer.array(2);
      writer.uint(1);
      writer.array(hasContext ? 2 : 1);
      response.write(writer);
      if (hasContext) writer.raw(this.context!);
      return finish();
    }
    const body = this.bodyKind != BodyKind.skip;
    const count = body ? 7 : this.fieldCount(hasContext);
    if (!count) return nil();
    if (count > 1) {
      if (hasContext) answer.raw(this.context!);
      else answer.bin(0, 0);
    }
    this.writeFields(count);
    if (body) writeBodyMode(this.bodyKind, this.bodyLimit);
    return finishEdits(0x90_00_92 | (count << 16), 3);
  }
}

const lent = new StaticArray<Request | null>(LENT);
let last: i32 = 0;

/** Begins a call of `on-request`. */
export function openRequest(head: usize, length: usize): Request {
  beginAnswer();
  openRecord(head, length);
  last = (last + 1) % LENT;
  const known = unchecked(lent[last]);
  if (known !== null) {
    known.lend();
    return known;
  }
  const made = new Request();
  unchecked((lent[last] = made));
  return made;
}

/** Changes to a request's head that is still held while its body is buffered. */
@final
export class HeldRequest extends RequestEdits {
  /** Changes to the header fields. */
  readonly headers: HeaderEdits = new HeaderEdits();

  /** Writes the record's fields after the header edits; returns how many fields there are with
   * those. */
  write(): i32 {
    const count = max(1, this.fieldCount(false));
    if (count > 1) answer.bin(0, 0);
    this.writeFields(count);
    return count;
  }
}
