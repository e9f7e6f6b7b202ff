import { mediaType } from "@sentinel-gateway/assemblyscript";

/** Whether a `content-type` is that of JSON. */
export function isJson(contentType: string): bool {
  const type = mediaType(contentType);
  return type == "application/json" || type.endsWith("+json");
}
