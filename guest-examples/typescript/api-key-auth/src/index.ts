import {
  bytesOf,
  ConfigError,
  type ConfigOf,
  configSchema,
  equalSecrets,
  Guest,
  headerName,
  isHeaderValue,
  type Request,
  Response,
} from "@sentinel-gateway/sdk";

const schema = configSchema({
  type: "object",
  properties: {
    keys: {
      type: "object",
      additionalProperties: { type: "string" },
      description: "Each key and the principal that it belongs to.",
    },
    header: { type: "string", description: "Where the key is sent.", default: "x-api-key" },
    principal_header: {
      type: "string",
      description: "Where the upstream finds the principal; what the client sent there is replaced.",
      default: "x-principal",
    },
    realm: { type: "string", description: "The realm of the challenge.", default: "sentinel" },
  },
  required: ["keys"],
  additionalProperties: false,
});

type Settings = ConfigOf<typeof schema>;

/** Lets only requests with a known API key through, and tells the upstream whose it is. */
export default class ApiKeyAuth extends Guest<Settings> {
  static readonly schema = schema;
  private header = "";
  private principalHeader = "";
  private keys: [Uint8Array, string][] = [];
  private missing!: Response;
  private readonly wrong = Response.json({ error: "this API key is not accepted" }, 403);
  private readonly several = Response.json({ error: "more than one API key was sent" }, 403);

  configure(settings: Settings): void {
    this.header = headerName(settings.header, "header");
    this.principalHeader = headerName(settings.principal_header, "principal_header");
    // RFC 9110, section 5.6.4: within a quoted-string these two would need escapes.
    if (!isHeaderValue(settings.realm) || /["\\]/.test(settings.realm))
      throw new ConfigError("realm: no control characters, quotation marks or backslashes");
    this.keys = Object.entries(settings.keys).map(([key, principal]) => [bytesOf(key), principal]);
    checkKeys(this.keys);
    const challenge = { "www-authenticate": `ApiKey realm="${settings.realm}"` };
    this.missing = Response.json({ error: "an API key is required" }, 401, challenge);
  }

  onRequest(request: Request): Response | null {
    const headers = request.headers;
    const sent = headers.getBytes(this.header);
    if (sent === null) return this.missing;
    // Which of two would count is a question that gateway and upstream could answer differently.
    if (headers.count(this.header) > 1) return this.several;
    // Every key is compared, whether an earlier one agreed or not: the time must not tell which one
    // it was.
    const found = this.keys.filter(([key]) => equalSecrets(sent, key));
    if (found.length === 0) return this.wrong;
    headers.remove(this.header);
    headers.set(this.principalHeader, found[0]![1]);
    return null;
  }
}

/** The messages leave the keys out: they are secrets. */
function checkKeys(keys: [Uint8Array, string][]): void {
  if (keys.length === 0) throw new ConfigError("keys: at least one key is needed");
  for (const [key, principal] of keys) {
    if (key.length === 0) throw new ConfigError("keys: a key is empty");
    if (principal === "" || !isHeaderValue(principal))
      throw new ConfigError("keys: the principal of each key has to be text that a header can carry");
  }
}
