import { Config, Guest, Request, Response } from "@sentinel-gateway/assemblyscript";

/** Moves requests from one path prefix to another, and chooses the upstream by a header. */
export class PathRewrite extends Guest {
  private strip: string = "";
  private add: string = "";
  private header: string = "";
  private values: string[] = [];
  private upstreams: string[] = [];

  configure(config: Config): string | null {
    this.strip = prefix(config, "strip_prefix");
    this.add = prefix(config, "add_prefix");
    if (config.has("upstream")) this.readUpstreams(config.map("upstream"));
    return config.finish();
  }

  private readUpstreams(config: Config): void {
    config.require("header");
    config.require("map");
    this.header = config.headerName("header", "");
    const map = config.map("map");
    this.values = map.keys;
    for (let i = 0; i < this.values.length; ++i) {
      const upstream = map.string(this.values[i]);
      if (!upstream.length) map.refuse("`" + this.values[i] + "` has to name an upstream");
      this.upstreams.push(upstream);
    }
  }

  onRequest(request: Request): Response | null {
    const path = request.path;
    const rewritten = this.rewrite(path);
    if (rewritten != path) request.setPath(rewritten);
    this.chooseUpstream(request);
    return null;
  }

  private rewrite(path: string): string {
    // `OPTIONS *` asks about the server as a whole; there is no path to move.
    if (path == "*") return path;
    const strip = this.strip;
    if (strip.length && path != strip && !path.startsWith(strip + "/")) return path;
    const moved = this.add + path.substring(strip.length);
    return moved.length ? moved : "/";
  }

  private chooseUpstream(request: Request): void {
    if (!this.upstreams.length) return;
    const value = request.headers.getBytes(this.header);
    if (value === null) return;
    for (let i = 0; i < this.values.length; ++i) {
      if (value.equals(this.values[i])) {
        request.setUpstream(this.upstreams[i]);
        return;
      }
    }
  }
}

/** A prefix of a canonical path, without a slash at its end. */
function prefix(config: Config, key: string): string {
  const value = config.string(key, "/");
  const end = value.length > 1 && value.endsWith("/") ? value.length - 1 : value.length;
  const segments = value.substring(0, end).split("/");
  let canonical = segments[0] == "";
  for (let i = 1; canonical && i < segments.length; ++i) {
    const segment = segments[i];
    canonical = segment != "." && segment != ".." && isSegment(segment) && (segment.length > 0 || value == "/");
  }
  if (!canonical) config.refuse(key + ": expected a canonical path such as /api/v1");
  return value == "/" ? "" : value.substring(0, end);
}

/** Whether these are characters of a path segment (RFC 3986, section 3.3). */
function isSegment(text: string): bool {
  for (let i = 0; i < text.length; ++i) {
    const unit = text.charCodeAt(i);
    const lower = unit | 0x20;
    const letterOrDigit = (lower >= 0x61 && lower <= 0x7a) || (unit >= 0x30 && unit <= 0x39);
    if (!letterOrDigit && !"-._~!$&'()*+,;=:@%".includes(String.fromCharCode(unit))) return false;
  }
  return true;
}
