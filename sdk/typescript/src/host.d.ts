// The host's functions as the interpreter gives them: a u64 or an s64 is a Number.

declare module "sentinel:gateway/log@0.1.0" {
  export function write(level: "trace" | "debug" | "info" | "warn" | "error", message: string): void;
}

declare module "sentinel:gateway/clock@0.1.0" {
  export function wall(): number;
  export function monotonic(): number;
}

declare module "sentinel:gateway/random@0.1.0" {
  export function bytes(length: number): Uint8Array;
  export function number(): number;
}

declare module "sentinel:gateway/metrics@0.1.0" {
  export function add(name: string, labels: [string, string][], value: number): void;
  export function observe(name: string, labels: [string, string][], value: number): void;
  export function describe(
    name: string,
    kind: "counter" | "histogram",
    help: string,
    unit: string,
    bounds: number[],
  ): void;
}

declare module "sentinel:gateway/kv@0.1.0" {
  export function get(key: Uint8Array): Uint8Array | null | undefined;
  export function set(key: Uint8Array, value: Uint8Array, ttl: number): void;
  export function add(key: Uint8Array, delta: number, ttl: number): number;
  function remove(key: Uint8Array): boolean;

  export { remove as delete };
}

declare module "sentinel:gateway/http-client@0.1.0" {
  export function send(request: Uint8Array): Uint8Array;
}
