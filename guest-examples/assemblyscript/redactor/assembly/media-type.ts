/** Whether a `content-type` is that of text. */
export function isText(contentType: string): bool {
  let end = 0;
  while (end < contentType.length && !"; \t".includes(contentType.charAt(end))) ++end;
  const type = contentType.substring(0, end).toLowerCase();
  return (
    type.startsWith("text/") ||
    type.endsWith("/json") || type.endsWith("+json") ||
    type.endsWith("/xml") || type.endsWith("+xml")
  );
}
