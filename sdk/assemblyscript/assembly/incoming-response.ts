import { answer, beginAnswer, editCount, finish, finishEdits, finishHeaders, nil, restart } from "./answer";
import { BodyKind, writeBodyMode } from "./body";
import { Bytes } from "./bytes";
import { HeaderEdits, Headers, PreparedEdits } from "./headers";
import { assertCurrent, currentCall, LENT } from "./memory";
import { integerField, openRecord } from "./record";
import { Response } from "./response";

/** Who made a response. */
export enum Origin {
  /** The upstream. */
  upstream,
  /** A guest further down the chain. */
  guest,
  /** The gateway, for example 502 for an upstream that refused. */
  gateway,
}

/** Reads a `response-origin` field; an unknown case traps. */
export function originField(field: i32): Origin {
  const index = integerField(field);
  if (index > <u64>Origin.gateway) throw new Error("unknown response-origin " + index.toString());
  return <Origin>index;
}

/** What a guest changes about a response's head. */
export abstract class ResponseEdits {
  protected call: u32 = currentCall();
  protected newStatus: u16 = 0;

  /** Lends it to the current call, without changes. */
  protected lendEdits(): void {
    this.call = currentCall();
    this.newStatus = 0;
  }

  /** Adds changes to header fields that were made beforehand. */
  editHeaders(edits: PreparedEdits): void {
    assertCurrent(this.call);
    edits.apply();
  }

  /** A new status, 200 to 599. */
  setStatus(status: u16): void {
    assertCurrent(this.call);
    this.newStatus = status;
  }

  /** The number of fields of `response-edits` that have to be written, without body mode. */
  protected fieldCount(): i32 {
    return this.newStatus ? 2 : editCount() ? 1 : 0;
  }

  /** Writes the status, if it is among the first `count` fields. */
  protected writeFields(count: i32): void {
    if (count < 2) return;
    if (this.newStatus) answer.uint(this.newStatus);
    else answer.nil();
  }
}

/**
 * A response before it goes to the client, as edited by the guests further down the chain. It is
 * lent to `onResponse`, and using it afterwards traps.
 */
@final
export class IncomingResponse extends ResponseEdits {
  private fields: Headers | null = null;
  private left: Bytes | null = null;
  private bodyKind: BodyKind = BodyKind.skip;
  private bodyLimit: u32 = 0;

  /** Made by the SDK, for the current record. */
  constructor(
    private start: usize,
    private size: i32,
  ) {
    super();
  }

  /** Lends it to the current call, as that got it. */
  lend(start: usize, size: i32): void {
    this.lendEdits();
    const fields = this.fields;
    if (fields !== null) fields.lend();
    // Not by assignment, which would be a call, to tell the garbage collector.
    store<usize>(changetype<usize>(this), 0, offsetof<IncomingResponse>("left"));
    this.bodyKind = BodyKind.skip;
    this.start = start;
    this.size = size;
  }

  /** The context that this guest's `onRequest` left, or empty. */
  get context(): Bytes {
    const left = this.left;
    if (left !== null) return left;
    assertCurrent(this.call);
    const made = new Bytes(this.start, this.size);
    this.left = made;
    return made;
  }

  /** Header fields, end to end, in order; reading and changing them. */
  get headers(): Headers {
    const fields = this.fields;
    if (fields !== null) return fields;
    const made = new Headers(1);
    this.fields = made;
    return made;
  }

  /** 200 to 599. */
  get status(): u16 {
    assertCurrent(this.call);
    return <u16>integerField(0);
  }

  /** Who made the response. */
  get origin(): Origin {
    assertCurrent(this.call);
    return originField(2);
  }

  /** Lets `onResponseChunk` see the body chunk by chunk, as it arrives. */
  streamBody(): void {
    assertCurrent(this.call);
    this.bodyKind = BodyKind.stream;
  }

  /**
   * Lets `onResponseChunk` see the body whole, with the head held until it is there. `limit` is the
   * largest body accepted, in bytes.
   */
  bufferBody(limit: u32): void {
    assertCurrent(this.call);
    this.bodyKind = BodyKind.buffer;
    this.bodyLimit = limit;
  }

  /** Takes back `streamBody` or `bufferBody`: the body passes by this guest, which is the
   * default. */
  skipBody(): void {
    assertCurrent(this.call);
    this.bodyKind = BodyKind.skip;
  }

  /** The answer of `on-response`. */
  // @ts-ignore: decorator
  @inline
  finish(response: Response | null): usize {
    // An address: comparing references is a call.
    const changed = changetype<usize>(response) || this.newStatus || this.bodyKind != BodyKind.skip;
    return changed ? this.finishAll(response) : finishHeaders();
  }

  private finishAll(response: Response | null): usize {
    if (response !== null) {
      const writer = restart();
      writer.array(2);
      writer.uint(1);
      response.write(writer);
      return finish();
    }
    const body = this.bodyKind != BodyKind.skip;
    const count = body ? 3 : this.fieldCount();
    if (!count) return nil();
    this.writeFields(count);
    if (body) writeBodyMode(this.bodyKind, this.bodyLimit);
    return finishEdits(0x90_00_92 | (count << 16), 3);
  }
}

const lent = new StaticArray<IncomingResponse | null>(LENT);
let last: i32 = 0;

/** Begins a call of `on-response`. */
export function openResponse(head: usize, length: usize, context: usize, contextLength: usize): IncomingResponse {
  beginAnswer();
  openRecord(head, length);
  last = (last + 1) % LENT;
  const known = unchecked(lent[last]);
  if (known !== null) {
    known.lend(context, <i32>contextLength);
    return known;
  }
  const made = new IncomingResponse(context, <i32>contextLength);
  unchecked((lent[last] = made));
  return made;
}

/** Changes to a response's head that is still held while its body is buffered. */
@final
export class HeldResponse extends ResponseEdits {
  /** Changes to the header fields. */
  readonly headers: HeaderEdits = new HeaderEdits();

  /** Writes the record's fields after the header edits; returns how many fields there are with
   * those. */
  write(): i32 {
    const count = max(1, this.fieldCount());
    this.writeFields(count);
    return count;
  }
}
