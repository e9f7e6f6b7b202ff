// WebAssembly's sections: making a custom one, and finding where the code begins.

/** A custom section, ready to be put at the end of a module or component. */
export function customSection(name, content) {
  const body = Buffer.concat([leb128(name.length), Buffer.from(name), content]);
  return Buffer.concat([Buffer.of(0), leb128(body.length), body]);
}

/** Where the content of a core module's code section begins. */
export function codeOffset(module) {
  const CODE = 10;
  for (let at = 8; at < module.length; ) {
    const number = module[at++];
    let size = 0;
    for (let shift = 0; ; shift += 7) {
      const byte = module[at++];
      size += (byte & 0x7f) * 2 ** shift;
      if (byte < 0x80) break;
    }
    if (number === CODE) return at;
    at += size;
  }
  throw new Error("the module has no code");
}

function leb128(number) {
  const bytes = [];
  for (; number > 0x7f; number >>>= 7) bytes.push((number & 0x7f) | 0x80);
  return Buffer.from([...bytes, number]);
}
