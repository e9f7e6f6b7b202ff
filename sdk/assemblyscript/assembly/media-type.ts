import { asciiLower } from "./checks";

/**
 * The media type in a `content-type`, in lower case and without parameters: `text/html` of
 * `Text/HTML; charset=utf-8`.
 */
export function mediaType(contentType: string): string {
  let end = 0;
  while (end < contentType.length && !"; \t".includes(contentType.charAt(end))) ++end;
  return asciiLower(contentType.substring(0, end));
}
