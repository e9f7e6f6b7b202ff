import {
  ConfigError,
  type ConfigOf,
  configSchema,
  decodeText,
  Guest,
  type IncomingResponse,
  mediaType,
  type Request,
  type ResponseChunk,
} from "@sentinel-gateway/sdk";
import Mustache from "mustache";

const schema = configSchema({
  type: "object",
  properties: {
    pages: {
      type: "object",
      additionalProperties: { type: "string" },
      description: "Each path, and the Mustache template of its page.",
    },
    partials: {
      type: "object",
      additionalProperties: { type: "string" },
      description: "Templates that others include by {{> name}}.",
    },
    max_bytes: { type: "integer", minimum: 1, description: "The largest answer that is rendered.", default: 262144 },
  },
  required: ["pages"],
  additionalProperties: false,
});

type Settings = ConfigOf<typeof schema>;

/** Turns JSON answers of the upstream into HTML, by a Mustache template for each path, where a
 * browser asks. */
export default class Templates extends Guest<Settings> {
  static readonly schema = schema;
  private settings!: Settings;

  configure(settings: Settings): void {
    for (const [kind, templates] of Object.entries({ pages: settings.pages, partials: settings.partials })) {
      for (const [name, template] of Object.entries(templates)) {
        try {
          // The library keeps what it parsed.
          Mustache.parse(template);
        } catch (error) {
          throw new ConfigError(`${kind}.${name}: ${(error as Error).message}`);
        }
      }
    }
    this.settings = settings;
  }

  onRequest(request: Request): void {
    if (!(request.path in this.settings.pages)) return;
    // What the upstream compresses could not be read.
    request.headers.set("accept-encoding", "identity");
    if (/\btext\/html\b/.test(request.headers.get("accept") ?? "")) request.setContext(request.path);
  }

  onResponse(response: IncomingResponse): void {
    if (!(decodeText(response.context) in this.settings.pages)) return;
    response.headers.append("vary", "accept");
    if (mediaType(response.headers.get("content-type") ?? "") === "application/json")
      response.bufferBody(this.settings.max_bytes);
  }

  onResponseChunk(chunk: ResponseChunk): void {
    const page = this.settings.pages[decodeText(chunk.context)]!;
    const html = Mustache.render(page, JSON.parse(decodeText(chunk.bytes)), this.settings.partials);
    chunk.head.headers.set("content-type", "text/html; charset=utf-8");
    chunk.replace(html);
  }
}
