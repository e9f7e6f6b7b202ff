import {
  ConfigError,
  type ConfigOf,
  configSchema,
  encodeText,
  Guest,
  type IncomingResponse,
  log,
  mediaType,
  type Request,
  type ResponseChunk,
} from "@sentinel-gateway/sdk";

import { Mask } from "./mask.ts";
import { Words } from "./words.ts";

// Keeps the automaton small.
const LONGEST = 1024;

const schema = configSchema({
  type: "object",
  properties: {
    mask: {
      type: "string",
      description: "What each masked byte becomes: one printable character of ASCII.",
      default: "*",
      minLength: 1,
      maxLength: 1,
    },
    // The shortest card numbers have 13 digits (ISO/IEC 7812).
    digits: {
      type: "integer",
      minimum: 0,
      maximum: 64,
      description: "A run of at least so many digits is masked; 0 masks none.",
      default: 13,
    },
    words: {
      type: "array",
      items: { type: "string" },
      description: "Texts that are masked wherever they occur, also within words; at most 1,024 bytes together.",
    },
  },
  additionalProperties: false,
});

type Settings = ConfigOf<typeof schema>;

/** Masks long runs of digits, and configured words, in responses that are text; also those that lie
 * across chunks. */
export default class Redactor extends Guest<Settings> {
  static readonly schema = schema;
  /** An instance serves one body at a time, from its first chunk to its last. */
  private mask!: Mask;

  configure(settings: Settings): void {
    if (!/^[ -~]$/.test(settings.mask)) throw new ConfigError("mask: one printable character of ASCII is needed");
    const words = settings.words.map(encodeText);
    if (words.some((word) => word.length === 0)) throw new ConfigError("words: a word is empty");
    if (words.reduce((sum, word) => sum + word.length, 0) > LONGEST)
      throw new ConfigError("words: at most 1,024 bytes together");
    this.mask = new Mask(settings.mask.charCodeAt(0), settings.digits, new Words(words));
  }

  /** What the upstream compresses, or cuts into ranges, could not be read. */
  onRequest(request: Request): void {
    request.headers.set("accept-encoding", "identity");
    request.headers.remove("range");
  }

  onResponse(response: IncomingResponse): void {
    if (!response.headers.getAll("content-type").some(isText)) return;
    const codings = response.headers.getAll("content-encoding");
    if (codings.every((coding) => coding.toLowerCase() === "identity")) response.streamBody();
    else log.warn("an encoded response passes unmasked");
  }

  onResponseChunk(chunk: ResponseChunk): void {
    const masked = this.mask.feed(chunk.bytes, chunk.isLast);
    if (masked !== null) chunk.replace(masked);
  }
}

function isText(contentType: string): boolean {
  return /^text\/|[/+](json|xml)$/.test(mediaType(contentType));
}
