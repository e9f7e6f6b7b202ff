import type { IncomingResponse, Request, RequestChunk, ResponseChunk, Summary } from "./messages.ts";
import type { Response } from "./response.ts";

/** Nothing goes on; a response answers the client, or replaces the upstream's. */
export type Answer = Response | null | void;

/**
 * A guest is a class that extends this one, the default export of its entry. It writes the hooks
 * that it needs, and only those are exported. Hooks may be `async`.
 *
 * Fields are the instance's: several instances serve at the same time, and one request may meet
 * more than one of them. A static `schema` is the JSON Schema of the configuration.
 */
export abstract class Guest<Config = unknown> {
  /** Once per instance, first. A `ConfigError` refuses the configuration. */
  configure?(config: Config): void;
  /** A request's head is there. */
  onRequest?(request: Request): Answer | Promise<Answer>;
  /** A response's head is there. */
  onResponse?(response: IncomingResponse): Answer | Promise<Answer>;
  /** A request is over, however it ended. */
  onComplete?(summary: Summary): void | Promise<void>;
  /** A piece of a body that `onRequest` asked for. */
  onRequestChunk?(chunk: RequestChunk): Answer | Promise<Answer>;
  /** A piece of a body that `onResponse` asked for. */
  onResponseChunk?(chunk: ResponseChunk): Answer | Promise<Answer>;
}

export type GuestClass = { new (): Guest<never>; readonly schema?: object };
