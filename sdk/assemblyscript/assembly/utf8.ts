// The library's own decoder takes overlong forms and swallows what follows a stray byte, so that
// different bytes become the same text: a guest that compares a header's text must not be told
// "admin" when the upstream is sent something else.

const REPLACEMENT: u16 = 0xfffd;

/**
 * Decodes UTF-8. What is not UTF-8 becomes U+FFFD, as in the Encoding Standard (one for each
 * maximal part of a sequence).
 */
export function decode(start: usize, size: i32): string {
  // A unit of UTF-16 takes one byte of UTF-8 at least.
  const text = __new(<usize>size << 1, idof<string>());
  for (let i = 0; i < size; ++i) {
    const byte = load<u8>(start + i);
    if (byte > 0x7f) {
      const end = decodeRest(start + i, start + size, text + (<usize>i << 1));
      return changetype<string>(__renew(text, end - text));
    }
    store<u16>(text + (<usize>i << 1), byte);
  }
  return changetype<string>(text);
}

/** Decodes the bytes from `at` to `end` to `target`; returns where the text ends. */
function decodeRest(at: usize, end: usize, target: usize): usize {
  let needed = 0;
  let point: u32 = 0;
  let lowest: u8 = 0x80;
  let highest: u8 = 0xbf;
  while (at < end) {
    const byte = load<u8>(at);
    if (needed) {
      if (byte < lowest || byte > highest) {
        // The sequence ends here, and this byte begins anew.
        needed = 0;
        store<u16>(target, REPLACEMENT);
        target += 2;
      } else {
        ++at;
        point = (point << 6) | (byte & 0x3f);
        if (!--needed) target = put(target, point);
      }
      lowest = 0x80;
      highest = 0xbf;
      continue;
    }
    ++at;
    if (byte < 0x80) target = put(target, byte);
    else if (byte >= 0xc2 && byte <= 0xdf) {
      needed = 1;
      point = byte & 0x1f;
    } else if ((byte & 0xf0) == 0xe0) {
      needed = 2;
      point = byte & 0x0f;
      // Neither overlong forms nor surrogates.
      if (byte == 0xe0) lowest = 0xa0;
      if (byte == 0xed) highest = 0x9f;
    } else if (byte >= 0xf0 && byte <= 0xf4) {
      needed = 3;
      point = byte & 0x07;
      // Neither overlong forms nor anything beyond U+10FFFF.
      if (byte == 0xf0) lowest = 0x90;
      if (byte == 0xf4) highest = 0x8f;
    } else target = put(target, REPLACEMENT);
  }
  return needed ? put(target, REPLACEMENT) : target;
}

// @ts-ignore: decorator
@inline
function put(target: usize, point: u32): usize {
  if (point < 0x10000) {
    store<u16>(target, point);
    return target + 2;
  }
  store<u16>(target, 0xd800 | ((point - 0x10000) >> 10));
  store<u16>(target, 0xdc00 | (point & 0x3ff), 2);
  return target + 4;
}
