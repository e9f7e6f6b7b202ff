import { JsonObject, Response } from "@sentinel-gateway/assemblyscript";

/** A response that says what is wrong, and where. */
export function refusal(status: u16, error: string, offset: i32): Response {
  const body = new JsonObject().string("error", error).number("offset", offset);
  return new Response(status).header("content-type", "application/json").body(body.toString());
}
