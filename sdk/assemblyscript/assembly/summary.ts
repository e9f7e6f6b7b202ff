import { Bytes } from "./bytes";
import { assertCurrent, currentCall } from "./memory";
import { integerField, openRecord, optionalStringField, reader, seek, stringField } from "./record";
import { Origin, originField } from "./incoming-response";

/** How an exchange ended. */
export enum Outcome {
  /** The whole response went out. */
  completed,
  /** The client went away before that. */
  clientAborted,
  /** The upstream broke off after the response's head had gone out. */
  upstreamAborted,
  /** The gateway broke off: a guest failed, or a limit was hit, after the response's head had gone
   * out. */
  gatewayAborted,
}

/** What happened to a request. It is lent to `onComplete`, and using it afterwards traps. */
@final
export class Summary {
  private call: u32 = currentCall();
  private left: Bytes | null = null;

  /** Made by the SDK, for the current record. */
  constructor(
    private start: usize,
    private size: i32,
  ) {}

  /** The context that this guest's `onRequest` left, or empty. */
  get context(): Bytes {
    const left = this.left;
    if (left !== null) return left;
    assertCurrent(this.call);
    const made = new Bytes(this.start, this.size);
    this.left = made;
    return made;
  }

  /** As `Request.requestId`. */
  get requestId(): string {
    return this.string(0);
  }

  /** The method as the client sent it, before any edit. */
  get method(): string {
    return this.string(1);
  }

  /** The canonical path as the client sent it, before any edit. */
  get path(): string {
    return this.string(2);
  }

  /** The query as the client sent it, or null. */
  get query(): string | null {
    assertCurrent(this.call);
    return optionalStringField(3);
  }

  /** The name of the route. */
  get route(): string {
    return this.string(4);
  }

  /** Host and optional port that the client asked for. */
  get authority(): string {
    return this.string(5);
  }

  /** The client's address as text. */
  get client(): string {
    return this.string(6);
  }

  /** `1.0`, `1.1`, `2` or `3`. */
  get httpVersion(): string {
    return this.string(7);
  }

  /** When the request's head had arrived: microseconds since 1970-01-01 UTC. */
  get startedAt(): u64 {
    return this.integer(8);
  }

  /** From then to the end of the response, in microseconds. */
  get duration(): u64 {
    return this.integer(9);
  }

  /** The status that the client got; 0 when it got none. */
  get status(): u16 {
    return <u16>this.integer(10);
  }

  /** Bytes of the request's body that were received. */
  get requestBytes(): u64 {
    return this.integer(11);
  }

  /** Bytes of the response's body that were sent. */
  get responseBytes(): u64 {
    return this.integer(12);
  }

  /** How the exchange ended. */
  get outcome(): Outcome {
    const index = this.integer(13);
    if (index > <u64>Outcome.gatewayAborted) throw new Error("unknown outcome " + index.toString());
    return <Outcome>index;
  }

  /** Who made the response. */
  get origin(): Origin {
    assertCurrent(this.call);
    return originField(14);
  }

  /** The upstream that was asked, or null. */
  get upstream(): string | null {
    assertCurrent(this.call);
    return optionalStringField(15);
  }

  /** Whether a response's head came from an upstream. */
  get hasUpstreamDuration(): bool {
    assertCurrent(this.call);
    return seek(16) && !reader.nil();
  }

  /** From the upstream request to its response's head, in microseconds; 0 when none came. */
  get upstreamDuration(): u64 {
    return this.hasUpstreamDuration ? reader.uint() : 0;
  }

  /** The endpoint of the upstream that answered, or that failed last, or null. */
  get endpoint(): string | null {
    assertCurrent(this.call);
    return optionalStringField(17);
  }

  /** How often the request was tried, at whichever endpoint; 0 when none was asked. */
  get tries(): u32 {
    assertCurrent(this.call);
    return seek(18) ? <u32>reader.uint() : 0;
  }

  private string(field: i32): string {
    assertCurrent(this.call);
    return stringField(field);
  }

  private integer(field: i32): u64 {
    assertCurrent(this.call);
    return integerField(field);
  }
}

/** Begins a call of `on-complete`. */
export function openSummary(summary: usize, length: usize, context: usize, contextLength: usize): Summary {
  openRecord(summary, length);
  return new Summary(context, <i32>contextLength);
}
