import {
  Config, Guest, IncomingResponse, NeededHooks, PreparedEdits, Request, Response,
} from "@sentinel-gateway/assemblyscript";

/** The changes that are configured for one direction. Removals come first, so that a field can be
 * removed and added anew. */
function changes(config: Config): PreparedEdits {
  const edits = new PreparedEdits();
  const removed = config.headerNames("remove");
  const set = config.headers("set");
  const appended = config.headers("append");
  for (let i = 0; i < removed.length; ++i) edits.remove(removed[i]);
  for (let i = 0; i < set.length; ++i) edits.set(set[i].name, set[i].value);
  for (let i = 0; i < appended.length; ++i) edits.append(appended[i].name, appended[i].value);
  return edits;
}

/** Removes, sets and appends header fields of requests and responses, as configured. */
export class HeaderInjection extends Guest {
  private request: PreparedEdits = new PreparedEdits();
  private response: PreparedEdits = new PreparedEdits();

  configure(config: Config): string | null {
    this.request = changes(config.map("request"));
    this.response = changes(config.map("response"));
    return config.finish();
  }

  neededHooks(): i32 {
    return (this.request.count ? NeededHooks.request : 0) | (this.response.count ? NeededHooks.response : 0);
  }

  onRequest(request: Request): Response | null {
    request.editHeaders(this.request);
    return null;
  }

  onResponse(response: IncomingResponse): Response | null {
    response.editHeaders(this.response);
    return null;
  }
}
