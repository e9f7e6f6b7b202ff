// Lets each principal make so many requests in 24 hours, over all workers of the gateway.

import {
  Config, Guest, IncomingResponse, kv, KvError, log, MetricKind, metrics, Request, Response,
} from "@sentinel-gateway/assemblyscript";

/** Milliseconds from a principal's first request on; the count begins anew with the first one after
 * it. */
const DAY: u64 = 24 * 60 * 60 * 1000;

export class DailyQuota extends Guest {
  private limit: i64 = 0;
  private header: string = "";

  configure(config: Config): string | null {
    metrics.describe("quota_refused", MetricKind.counter, "Requests beyond a principal's daily quota.");
    config.require("limit");
    this.limit = config.int("limit");
    this.header = config.headerName("header", "x-principal");
    if (this.limit < 0 || this.limit > <i64>u32.MAX_VALUE) return "limit: expected a number from 0 to 4294967295";
    return config.finish();
  }

  onRequest(request: Request): Response | null {
    const count = kv.add(this.keyOf(request), 1, DAY);
    if (kv.error() != KvError.none) {
      // Whoever cannot be counted is not let through: a flood of principals would be a way around
      // the quota.
      log.error("cannot count: " + kv.errorMessage());
      return new Response(503).body("the quota cannot be checked\n");
    }
    if (count > this.limit) {
      metrics.add("quota_refused");
      return new Response(429).header("x-quota-limit", this.limit.toString()).body("the daily quota is used up\n");
    }
    request.setContext((this.limit - count).toString());
    return null;
  }

  onResponse(response: IncomingResponse): Response | null {
    if (response.context.length) response.headers.set("x-quota-remaining", response.context);
    return null;
  }

  /** Who is counted: the principal, or for want of one the client's address. No principal looks
   * like an address. */
  private keyOf(request: Request): string {
    const principal = request.headers.get(this.header);
    return principal === null ? "client " + request.client : "principal " + principal;
  }
}
