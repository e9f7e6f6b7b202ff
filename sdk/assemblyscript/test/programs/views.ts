// Shows a request through every way of looking at it, and handles hostile records.

import { Guest, Request, Response } from "@sentinel-gateway/assemblyscript";

export class Views extends Guest {
  onRequest(request: Request): Response | null {
    const headers = request.headers;
    const shown: string[] = [];
    // Backwards on purpose: the last field is reached before those in front of it.
    shown.push(request.httpVersion + " " + request.route + " " + request.requestId + " " + request.client);
    shown.push(request.authority + " " + request.scheme);
    const query = request.query;
    shown.push(query === null ? "no query" : "?" + query);
    shown.push(request.pathBytes.toString() + " " + request.path + " " + request.methodBytes.toString() + " " + request.method);
    shown.push(request.pathBytes.startsWith("/a").toString() + " " + request.pathBytes.startsWith("/a/longer/one").toString());
    shown.push(headers.length.toString() + " " + headers.count("X-Twice").toString() + " " + headers.getAll("x-twice").join("+"));
    const first = headers.get("x-TWICE");
    shown.push((first === null ? "none" : first) + " " + headers.has("x-twice").toString() + " " + headers.has("x-twic").toString());
    shown.push(headers.get("x-missing") === null ? "missing" : "there");
    const bytes = headers.getBytes("x-bytes");
    if (bytes !== null) {
      shown.push(bytes.length.toString() + " " + bytes[0].toString() + " " + bytes.toArray().join(","));
      shown.push(bytes.equals("grün").toString() + " " + bytes.equals("grun").toString() + " " + bytes.equals("grü").toString());
    }
    for (let i = 0; i < headers.length; ++i) shown.push(headers.nameAt(i) + "=" + headers.valueAt(i).toString());
    return new Response().body(shown.join("\n"));
  }
}
