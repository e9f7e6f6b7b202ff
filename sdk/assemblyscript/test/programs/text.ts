// Answers with what the SDK's helpers for text make of a header's value.

import { Guest, JsonObject, mediaType, Request, Response } from "@sentinel-gateway/assemblyscript";

export class Text extends Guest {
  onRequest(request: Request): Response | null {
    const text = request.headers.valueAt(0).toString();
    if (request.method == "TYPE") return new Response().body(mediaType(text));
    const object = new JsonObject().optionalString("no", null).string(text, text).number("n", u64.MAX_VALUE);
    return new Response().body(object.optionalString("yes", "").toString());
  }
}
