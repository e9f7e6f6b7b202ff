import { Config, Guest, headerValueProblem, JsonObject, Kind, Request, Response } from "@sentinel-gateway/assemblyscript";

class Key {
  constructor(readonly secret: Uint8Array, readonly principal: string) {}
}

/** Lets only requests with a known API key through, and tells the upstream whose it is. */
export class ApiKeyAuth extends Guest {
  private keys: Key[] = [];
  private header: string = "";
  private principalHeader: string = "";
  private keyMissing: Response = refusal(401, "an API key is required");
  private keyWrong: Response = refusal(403, "this API key is not accepted");
  private keysSeveral: Response = refusal(403, "more than one API key was sent");

  configure(config: Config): string | null {
    this.header = config.headerName("header", "x-api-key");
    this.principalHeader = config.headerName("principal_header", "x-principal");
    const realm = config.string("realm", "sentinel");
    if (headerValueProblem(realm) !== null || realm.includes('"') || realm.includes("\\")) {
      config.refuse("realm: no control characters, quotation marks or backslashes");
    }
    this.keyMissing.header("www-authenticate", 'ApiKey realm="' + realm + '"');
    const problem = this.readKeys(config.map("keys"));
    return problem !== null ? problem : config.finish();
  }

  /** The messages leave the keys out: they are secrets. */
  private readKeys(keys: Config): string | null {
    const secrets = keys.keys;
    if (!secrets.length) return "keys: at least one key is needed";
    for (let i = 0; i < secrets.length; ++i) {
      const principal = keys.get(secrets[i])!;
      if (!secrets[i].length) return "keys: a key is empty";
      if (principal.kind != Kind.string || !principal.string.length || headerValueProblem(principal.string) !== null) {
        return "keys: the principal of each key has to be text that a header can carry";
      }
      this.keys.push(new Key(Uint8Array.wrap(String.UTF8.encode(secrets[i])), principal.string));
    }
    return null;
  }

  onRequest(request: Request): Response | null {
    const headers = request.headers;
    const presented = headers.getBytes(this.header);
    if (presented === null) return this.keyMissing;
    if (headers.count(this.header) > 1) return this.keysSeveral;
    let match = -1;
    // Every key is compared, whether an earlier one agreed or not: the time must not tell which one
    // it was.
    for (let i = 0; i < this.keys.length; ++i) {
      match = select(i, match, presented.equalsSecret(this.keys[i].secret));
    }
    if (match < 0) return this.keyWrong;
    headers.remove(this.header);
    headers.set(this.principalHeader, this.keys[match].principal);
    return null;
  }
}

function refusal(status: u16, message: string): Response {
  return new Response(status).header("content-type", "application/json").body(new JsonObject().string("error", message).toString());
}
