import {
  type ConfigOf,
  configSchema,
  Guest,
  HeaderEdits,
  headerName,
  headerValue,
  type IncomingResponse,
  type Request,
} from "@sentinel-gateway/sdk";

const properties = {
  set: {
    type: "object",
    additionalProperties: { type: "string" },
    description: "Each name and the value that replaces all fields of that name.",
  },
  append: {
    type: "object",
    additionalProperties: { type: "string" },
    description: "Each name and the value of a further field.",
  },
  remove: { type: "array", items: { type: "string" }, description: "Names of fields." },
} as const;

const schema = configSchema({
  type: "object",
  properties: {
    request: { type: "object", properties, additionalProperties: false, description: "Changes to requests." },
    response: { type: "object", properties, additionalProperties: false, description: "Changes to responses." },
  },
  additionalProperties: false,
});

type Settings = ConfigOf<typeof schema>;

/** Sets, appends and removes header fields of requests and responses, as configured. */
export default class HeaderInjection extends Guest<Settings> {
  static readonly schema = schema;
  private requestEdits = new HeaderEdits();
  private responseEdits = new HeaderEdits();

  configure(settings: Settings): void {
    this.requestEdits = editsOf(settings.request, "request");
    this.responseEdits = editsOf(settings.response, "response");
  }

  onRequest(request: Request): void {
    request.headers.add(this.requestEdits);
  }

  onResponse(response: IncomingResponse): void {
    response.headers.add(this.responseEdits);
  }
}

function editsOf(changes: Settings["request"], at: string): HeaderEdits {
  const edits = new HeaderEdits();
  for (const name of changes.remove) edits.remove(headerName(name, `${at}.remove`));
  for (const [name, value] of Object.entries(changes.set))
    edits.set(headerName(name, `${at}.set`), headerValue(value, `${at}.set.${name}`));
  for (const [name, value] of Object.entries(changes.append))
    edits.append(headerName(name, `${at}.append`), headerValue(value, `${at}.append.${name}`));
  return edits;
}
