import {
  Config, Guest, HeaderEdits, HeaderField, IncomingResponse, Request, Response,
} from "@sentinel-gateway/assemblyscript";

/** The changes that are configured for one direction. */
class Changes {
  private removed: string[];
  private set: HeaderField[];
  private appended: HeaderField[];

  constructor(config: Config) {
    this.removed = config.headerNames("remove");
    this.set = config.headers("set");
    this.appended = config.headers("append");
  }

  /** Whether there are any: where there are none, nothing has to be made of a message. */
  get any(): bool {
    return this.removed.length > 0 || this.set.length > 0 || this.appended.length > 0;
  }

  apply(headers: HeaderEdits): void {
    for (let i = 0; i < this.removed.length; ++i) headers.remove(this.removed[i]);
    for (let i = 0; i < this.set.length; ++i) headers.set(this.set[i].name, this.set[i].value);
    for (let i = 0; i < this.appended.length; ++i) headers.append(this.appended[i].name, this.appended[i].value);
  }
}

/** Removes, sets and appends header fields of requests and responses, as configured. */
export class HeaderInjection extends Guest {
  private request: Changes | null = null;
  private response: Changes | null = null;

  configure(config: Config): string | null {
    this.request = new Changes(config.map("request"));
    this.response = new Changes(config.map("response"));
    return config.finish();
  }

  onRequest(request: Request): Response | null {
    const changes = this.request!;
    if (changes.any) changes.apply(request.headers);
    return null;
  }

  onResponse(response: IncomingResponse): Response | null {
    const changes = this.response!;
    if (changes.any) changes.apply(response.headers);
    return null;
  }
}
