import { RequestChunk, ResponseChunk } from "./chunks";
import { Config } from "./config";
import { Request } from "./request";
import { Response } from "./response";
import { IncomingResponse } from "./incoming-response";
import { Summary } from "./summary";

/** What `Guest.neededHooks` is a sum of. */
export enum NeededHooks {
  /** `onRequest`. */
  request = 1,
  /** `onResponse`. */
  response = 2,
  /** `onComplete`. */
  completion = 4,
}

/**
 * A guest: extend it, override the hooks that are needed and export the class. Hooks that are not
 * overridden are not exported, so the gateway never calls them. The class is made once per
 * instance, without arguments, before `configure`; there are several instances, and one request may
 * meet more than one of them: what a request needs later goes into `Request.setContext`.
 */
export abstract class Guest {
  /** Takes the configuration. A message refuses it, and the guest is not taken into service; null
   * accepts it. */
  configure(config: Config): string | null {
    return null;
  }

  /**
   * Tells which hooks this configuration has a use for, as a sum: the gateway does not call the
   * others, which saves their time. Called once, after `configure`; hooks that are not overridden
   * need not be named.
   */
  neededHooks(): i32 {
    return NeededHooks.request | NeededHooks.response | NeededHooks.completion;
  }

  /** Looks at a request: return null to go on, with the changes made to `request`, or answer it. */
  onRequest(request: Request): Response | null {
    return null;
  }

  /** The short name of `onRequest`, for a guest that does nothing else. */
  process(request: Request): Response | null {
    return null;
  }

  /** Looks at a response: return null to go on, with the changes made to `response`, or send
   * another one. */
  onResponse(response: IncomingResponse): Response | null {
    return null;
  }

  /** Learns how a request ended. */
  onComplete(summary: Summary): void {}

  /**
   * Works on a piece of a request's body: return null to pass it on, changed by `chunk.replace`, or
   * answer the request.
   */
  onRequestChunk(chunk: RequestChunk): Response | null {
    return null;
  }

  /**
   * Works on a piece of a response's body: return null to pass it on, changed by `chunk.replace`,
   * or send another response.
   */
  onResponseChunk(chunk: ResponseChunk): Response | null {
    return null;
  }
}
