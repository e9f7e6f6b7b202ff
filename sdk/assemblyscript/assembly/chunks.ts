import { answer, beginAnswer, finish, finishEdits, nil, restart } from "./answer";
import { Bytes } from "./bytes";
import { assertCurrent, currentCall } from "./memory";
import { HeldRequest } from "./request";
import { Response } from "./response";
import { HeldResponse } from "./incoming-response";
import { Writer } from "./writer";

/** A piece of a message's body, lent to the hook. */
export abstract class Chunk {
  protected call: u32 = currentCall();
  private instead: Writer | null = null;

  /** Made by the SDK. */
  constructor(
    /** The raw bytes; empty for an end that comes alone. */
    readonly bytes: Bytes,
    /** True exactly once, at the body's end. */
    readonly isLast: bool,
    /** The context that `onRequest` left, or empty. */
    readonly context: Bytes,
  ) {}

  /**
   * Sends something else in place of this chunk: a string (as UTF-8), a `Bytes`, a `Uint8Array` or
   * an `ArrayBuffer`. Something empty sends nothing for this chunk.
   */
  replace<V>(value: V): void {
    assertCurrent(this.call);
    const instead = new Writer();
    instead.bytes<V>(value);
    this.instead = instead;
  }

  /** Finishes `[2, [edits, chunk]]`, whose edits have `count` fields. */
  protected finishHead(count: i32): usize {
    const instead = this.instead;
    if (instead !== null) answer.raw(instead);
    return finishEdits(0x90_90_02_92 | (instead !== null ? 0x02_00_00 : 0x01_00_00) | (<u32>count << 24), 4);
  }

  /** Finishes an answer that leaves the head alone. */
  protected finishChunk(response: Response | null): usize {
    const instead = this.instead;
    if (response === null && instead === null) return nil();
    const writer = restart();
    writer.array(2);
    if (response !== null) {
      writer.uint(1);
      response.write(writer);
    } else {
      writer.uint(0);
      writer.raw(instead!);
    }
    return finish();
  }
}

/** A piece of a request's body, for a guest whose `onRequest` asked for it. */
@final
export class RequestChunk extends Chunk {
  private held: HeldRequest | null = null;

  /**
   * The request's head, to change it while it is held: after `bufferBody` only, otherwise the
   * gateway refuses the answer.
   */
  get head(): HeldRequest {
    assertCurrent(this.call);
    const held = this.held;
    if (held !== null) return held;
    const made = new HeldRequest();
    this.held = made;
    return made;
  }

  /** The answer of `on-request-chunk`. */
  finish(response: Response | null): usize {
    const held = this.held;
    return response === null && held !== null ? this.finishHead(held.write()) : this.finishChunk(response);
  }
}

/** A piece of a response's body, for a guest whose `onResponse` asked for it. */
@final
export class ResponseChunk extends Chunk {
  private held: HeldResponse | null = null;

  /**
   * The response's head, to change it while it is held: after `bufferBody` only, otherwise the
   * gateway refuses the answer.
   */
  get head(): HeldResponse {
    assertCurrent(this.call);
    const held = this.held;
    if (held !== null) return held;
    const made = new HeldResponse();
    this.held = made;
    return made;
  }

  /** The answer of `on-response-chunk`. */
  finish(response: Response | null): usize {
    const held = this.held;
    return response === null && held !== null ? this.finishHead(held.write()) : this.finishChunk(response);
  }
}

/** Begins a call of `on-request-chunk`. */
export function openRequestChunk(
  chunk: usize, length: usize, last: i32, context: usize, contextLength: usize,
): RequestChunk {
  beginAnswer();
  return new RequestChunk(new Bytes(chunk, <i32>length), last != 0, new Bytes(context, <i32>contextLength));
}

/** Begins a call of `on-response-chunk`. */
export function openResponseChunk(
  chunk: usize, length: usize, last: i32, context: usize, contextLength: usize,
): ResponseChunk {
  beginAnswer();
  return new ResponseChunk(new Bytes(chunk, <i32>length), last != 0, new Bytes(context, <i32>contextLength));
}
