import { mediaType } from "@sentinel-gateway/assemblyscript";

/** Whether a `content-type` is that of text. */
export function isText(contentType: string): bool {
  const type = mediaType(contentType);
  return (
    type.startsWith("text/") ||
    type.endsWith("/json") || type.endsWith("+json") ||
    type.endsWith("/xml") || type.endsWith("+xml")
  );
}
