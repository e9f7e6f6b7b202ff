// What the gateway accepts in an edit (see `header-edit` in wit/types.wit), for guests that take
// names and values from their configuration and want to refuse a wrong one at once instead of
// failing every request.

/** Fields that the gateway writes itself. */
const OWNED: StaticArray<string> = [
  "content-length", "transfer-encoding", "connection", "keep-alive", "proxy-connection", "te", "trailer", "upgrade",
  "host",
];

/** The characters of a token (RFC 9110, section 5.6.2) beside letters and digits. */
const MARKS = "!#$%&'*+-.^_`|~";

/** Why a guest may not edit the header field of that name, in any case, or null. */
export function headerNameProblem(name: string): string | null {
  if (!isToken(name)) return "`" + name + "` is not a header name";
  const lower = asciiLower(name);
  return OWNED.includes(lower) ? "the header `" + lower + "` belongs to the gateway" : null;
}

/** Why that is not a header's value, or null. The message leaves the value out: it may be a
 * secret. */
export function headerValueProblem(value: string): string | null {
  for (let i = 0; i < value.length; ++i) {
    const unit = value.charCodeAt(i);
    if ((unit < 0x20 && unit != 0x09) || unit == 0x7f) return "a header's value cannot hold control characters";
  }
  return null;
}

/**
 * ASCII letters in lower case, everything else as it is; the string's own method carries the tables
 * of Unicode along.
 */
export function asciiLower(text: string): string {
  const lower = changetype<string>(__new(text.length << 1, idof<string>()));
  for (let i = 0; i < text.length; ++i) {
    const unit = <u32>text.charCodeAt(i);
    store<u16>(changetype<usize>(lower) + (<usize>i << 1), unit - 0x41 < 26 ? unit | 0x20 : unit);
  }
  return lower;
}

function isToken(text: string): bool {
  for (let i = 0; i < text.length; ++i) {
    const unit = <u32>text.charCodeAt(i);
    const letter = (unit | 0x20) - 0x61 < 26;
    const digit = unit - 0x30 < 10;
    if (!letter && !digit && !contains(MARKS, unit)) return false;
  }
  return text.length > 0;
}

function contains(text: string, unit: u32): bool {
  for (let i = 0; i < text.length; ++i) {
    if (<u32>text.charCodeAt(i) == unit) return true;
  }
  return false;
}
