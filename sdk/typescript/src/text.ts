/** Text and its bytes, by what the interpreter does natively: it has neither TextEncoder nor
 * TextDecoder. */

const BEYOND_ASCII = /[^\x00-\x7f]/;
// As many arguments as one call takes for sure.
const MOST = 8192;

function latin1(data: Uint8Array): string {
  if (data.length <= MOST) return String.fromCharCode.apply(null, data as unknown as number[]);
  let text = "";
  for (let at = 0; at < data.length; at += MOST) text += latin1(data.subarray(at, at + MOST));
  return text;
}

/** The text of UTF-8; what is none becomes U+FFFD, or is an error if `isStrict`. */
export function decodeText(data: Uint8Array, isStrict = false): string {
  const text = latin1(data);
  if (!BEYOND_ASCII.test(text)) return text;
  try {
    return decodeURIComponent(escape(text));
  } catch (error) {
    if (isStrict) throw new TypeError("there is text that is not UTF-8", { cause: error });
    return decodeBroken(text);
  }
}

/** A sequence of UTF-8 (RFC 3629, section 4), or a byte that begins none. */
const SEQUENCES =
  /[\xc2-\xdf][\x80-\xbf]|\xe0[\xa0-\xbf][\x80-\xbf]|[\xe1-\xec\xee\xef][\x80-\xbf]{2}|\xed[\x80-\x9f][\x80-\xbf]|\xf0[\x90-\xbf][\x80-\xbf]{2}|[\xf1-\xf3][\x80-\xbf]{3}|\xf4[\x80-\x8f][\x80-\xbf]{2}|[\x80-\xff]/g;

function decodeBroken(text: string): string {
  return text.replace(SEQUENCES, (part) => (part.length === 1 ? "\ufffd" : decodeURIComponent(escape(part))));
}

/** The UTF-8 of a text; half a surrogate pair becomes U+FFFD. */
export function encodeText(text: string): Uint8Array {
  let bytes = text;
  if (BEYOND_ASCII.test(text)) bytes = unescape(encodeURIComponent(wellFormed(text)));
  const data = new Uint8Array(bytes.length);
  for (let at = 0; at < bytes.length; at++) data[at] = bytes.charCodeAt(at);
  return data;
}

function wellFormed(text: string): string {
  return text.replace(/[\ud800-\udbff][\udc00-\udfff]|[\ud800-\udfff]/g, (part) =>
    part.length === 1 ? "\ufffd" : part,
  );
}

/** Bytes as they are, text as UTF-8. */
export function bytesOf(value: string | Uint8Array): Uint8Array {
  return typeof value === "string" ? encodeText(value) : value;
}
