/** Whether a `content-type` is that of JSON. */
export function isJson(contentType: string): bool {
  let end = 0;
  while (end < contentType.length && !"; \t".includes(contentType.charAt(end))) ++end;
  const type = contentType.substring(0, end).toLowerCase();
  return type == "application/json" || type.endsWith("+json");
}
