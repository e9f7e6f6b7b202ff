/** The host's functions in unit tests: they record what they were asked, and answer as the test
 * says. */
import { pack, Reader, type Value } from "./msgpack.ts";
import type { Response } from "./response.ts";
import { decodeText } from "./text.ts";

export interface OutboundRequest {
  readonly method: string;
  readonly url: string;
  readonly headers: readonly (readonly [string, Uint8Array])[];
  readonly body: Uint8Array;
  readonly timeout: number | null;
}

/** Answers a request, or names why there is no answer, such as `timeout`. */
export type HttpService = (request: OutboundRequest) => Response | string;

export class StandIns {
  /** Level and text of each line of the log. */
  readonly logs: [string, string][] = [];
  /** Name, value and labels of each call of `metrics`. */
  readonly metricCalls: [string, number, [string, string][]][] = [];
  /** Name, kind, help text, unit and bounds of each description of a metric. */
  readonly descriptions: [string, string, string, string, number[]][] = [];
  /** What was asked of HTTP services. */
  readonly requests: OutboundRequest[] = [];
  readonly store = new Map<string, Uint8Array>();
  /** Nanoseconds: 2026-01-01 in UTC, until a test says otherwise. */
  wall = 1_767_225_600_000_000_000;
  /** Why every call of `kv` comes to nothing, such as `unavailable`. */
  kvFailure: string | null = null;
  service: HttpService = () => "unreachable";
  private seed = 0;

  readonly log = {
    write: (level: string, message: string): void => void this.logs.push([level, message]),
  };

  readonly clock = { wall: (): number => this.wall, monotonic: (): number => this.wall };

  readonly random = {
    bytes: (length: number): Uint8Array => Uint8Array.from({ length }, () => this.seed++ & 255),
    number: (): number => this.seed++,
  };

  readonly metrics = {
    add: (name: string, labels: [string, string][], value: number): void =>
      void this.metricCalls.push([name, value, labels]),
    observe: (name: string, labels: [string, string][], value: number): void =>
      void this.metricCalls.push([name, value, labels]),
    describe: (...told: [string, string, string, string, number[]]): void => void this.descriptions.push(told),
  };

  readonly kv = {
    get: (key: Uint8Array): Uint8Array | null => this.checked().get(decodeText(key)) ?? null,
    set: (key: Uint8Array, value: Uint8Array): void => void this.checked().set(decodeText(key), value),
    delete: (key: Uint8Array): boolean => this.checked().delete(decodeText(key)),
    add: (key: Uint8Array, delta: number): number => {
      const old = this.checked().get(decodeText(key)) ?? new Uint8Array(8);
      if (old.length !== 8) throw new Error("not-a-number");
      const value = new Uint8Array(8);
      const sum = Number(new DataView(old.buffer, old.byteOffset).getBigInt64(0, true)) + delta;
      new DataView(value.buffer).setBigInt64(0, BigInt(sum), true);
      this.store.set(decodeText(key), value);
      return sum;
    },
  };

  readonly "http-client" = {
    send: (record: Uint8Array): Uint8Array => {
      const [method, url, headers, body, timeout] = new Reader(record).value() as [
        string,
        string,
        [string, Uint8Array][],
        Uint8Array,
        number | null,
      ];
      const request = { method, url, headers, body, timeout };
      this.requests.push(request);
      const answer = this.service(request);
      if (typeof answer === "string") throw new Error(answer);
      return pack(answer.record() as Value);
    },
  };

  private checked(): Map<string, Uint8Array> {
    if (this.kvFailure !== null) throw new Error(this.kvFailure);
    return this.store;
  }
}

let active = new StandIns();

/** Those of the harness that called last. */
export function current(): StandIns {
  return active;
}

export function use(standIns: StandIns): void {
  active = standIns;
}
