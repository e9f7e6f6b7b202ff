// Globals of a guest beyond those of the language, for a tsconfig.json with
// "types": ["@sentinel-gateway/sdk/globals"].

declare var console: Record<"log" | "info" | "debug" | "trace" | "warn" | "error", (...values: unknown[]) => void>;

declare function queueMicrotask(job: () => void): void;

declare class TextEncoder {
  readonly encoding: "utf-8";
  encode(text?: string): Uint8Array;
}

declare class TextDecoder {
  readonly encoding: "utf-8";
  decode(data?: Uint8Array): string;
}
