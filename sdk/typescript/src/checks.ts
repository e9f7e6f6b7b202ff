/** What header fields may be, and comparisons of secrets. */
import { ConfigError } from "./errors.ts";
import { bytesOf } from "./text.ts";

const OWNED = /^(content-length|transfer-encoding|connection|keep-alive|proxy-connection|te|trailer|upgrade|host|:.*)$/;

/** A configured name of a header field, in lower case. Throws ConfigError at `at`. */
export function headerName(name: string, at: string): string {
  const lower = name.toLowerCase();
  if (!/^[!#$%&'*+\-.^_`|~0-9a-z]+$/.test(lower))
    throw new ConfigError(`${at}: ${JSON.stringify(name)} is no name of a header`);
  if (OWNED.test(lower)) throw new ConfigError(`${at}: ${lower} belongs to the gateway`);
  return lower;
}

/** Whether a header field can have this value. */
export function isHeaderValue(value: string): boolean {
  return !/[\x00-\x08\x0a-\x1f\x7f]/.test(value);
}

/** A configured value of a header field. Throws ConfigError at `at`. */
export function headerValue(value: string, at: string): string {
  if (!isHeaderValue(value)) throw new ConfigError(`${at}: a header's value has no control characters`);
  return value;
}

/** Whether two secrets are equal. The time does not tell how much of them is. */
export function equalSecrets(one: string | Uint8Array, other: string | Uint8Array): boolean {
  const first = bytesOf(one);
  const second = bytesOf(other);
  let difference = first.length ^ second.length;
  for (let at = 0; at < first.length; at++) difference |= first[at]! ^ (second[at] ?? 0);
  return difference === 0;
}

/** What a `content-type` says without its parameters, in lower case. */
export function mediaType(contentType: string): string {
  return contentType.split(";", 1)[0]!.trim().toLowerCase();
}
