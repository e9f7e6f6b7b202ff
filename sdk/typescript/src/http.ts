import { send } from "sentinel:gateway/http-client@0.1.0";

import { HttpError, type HttpReason, reasonOf } from "./errors.ts";
import { pack, unpack, type Value } from "./msgpack.ts";
import { type HeaderFields, pairsOf, Response } from "./response.ts";
import { bytesOf } from "./text.ts";

export interface HttpOptions {
  method?: string;
  headers?: HeaderFields;
  body?: string | Uint8Array;
  /** Milliseconds. */
  timeout?: number;
}

function ask(url: string, options: HttpOptions): Response {
  const { method = "GET", headers = {}, body = "", timeout = null } = options;
  const record: Value = [method, url, pairsOf(headers), bytesOf(body), timeout];
  let answer: Uint8Array;
  try {
    answer = send(pack(record));
  } catch (error) {
    throw new HttpError(reasonOf(error) as HttpReason);
  }
  const [status, fields, content] = unpack(answer) as [number, [string, Uint8Array][], Uint8Array];
  return new Response(status, fields, content);
}

/**
 * Asks an HTTP service in the middle of a hook. Needs the grant `http-client`. The guest is
 * suspended until the answer is there; others are served meanwhile. The promises reject with
 * `HttpError`.
 */
export const http = {
  send: async (url: string, options: HttpOptions = {}): Promise<Response> => ask(url, options),
  get: async (url: string, options: HttpOptions = {}): Promise<Response> => ask(url, options),
  post: async (url: string, body: string | Uint8Array, options: HttpOptions = {}): Promise<Response> =>
    ask(url, { method: "POST", ...options, body }),
};
