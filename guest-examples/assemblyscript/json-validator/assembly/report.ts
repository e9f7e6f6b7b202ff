import { Response } from "@sentinel-gateway/assemblyscript";

/** A response that says what is wrong, and where. */
export function refusal(status: u16, error: string, offset: i32): Response {
  let escaped = "";
  for (let i = 0; i < error.length; ++i) {
    const unit = error.charCodeAt(i);
    if (unit == 0x22 || unit == 0x5c) escaped += "\\" + error.charAt(i);
    else if (unit < 0x20) escaped += "\\u00" + (unit < 0x10 ? "0" : "") + unit.toString(16);
    else escaped += error.charAt(i);
  }
  const body = '{"error":"' + escaped + '","offset":' + offset.toString() + "}";
  return new Response(status).header("content-type", "application/json").body(body);
}
