/// <reference path="./host.d.ts" />
export { equalSecrets, headerName, headerValue, isHeaderValue, mediaType } from "./checks.ts";
export { clock } from "./clock.ts";
export { type ConfigOf, configSchema, type Schema } from "./config.ts";
export { ConfigError, HttpError, type HttpReason, KvError, type KvReason } from "./errors.ts";
export { type Answer, Guest } from "./guest.ts";
export { HeaderEdits, Headers } from "./headers.ts";
export { type HttpOptions, http } from "./http.ts";
export { kv } from "./kv.ts";
export { log } from "./log.ts";
export {
  type ClientCertificate,
  HeldRequest,
  HeldResponse,
  IncomingResponse,
  type Origin,
  type Outcome,
  Request,
  RequestChunk,
  ResponseChunk,
  Summary,
} from "./messages.ts";
export { type Labels, type MetricDescription, type MetricKind, metrics } from "./metrics.ts";
export { random } from "./random.ts";
export { type HeaderFields, Response } from "./response.ts";
export { bytesOf, decodeText, encodeText } from "./text.ts";
