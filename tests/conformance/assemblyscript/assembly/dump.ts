import { Bytes, Headers } from "@sentinel-gateway/assemblyscript";

/** Lines of text that show a record: one `name=value` per field. */
export class Dump {
  readonly lines: string[] = [];

  text(name: string, value: string): void {
    this.lines.push(name + "=" + escaped(Uint8Array.wrap(String.UTF8.encode(value))));
  }

  option(name: string, value: string | null): void {
    if (value !== null) this.text(name, value);
  }

  number(name: string, value: u64): void {
    this.lines.push(name + "=" + value.toString());
  }

  bytes(name: string, value: Bytes): void {
    this.lines.push(name + "=" + escaped(value.toArray()));
  }

  headers(headers: Headers): void {
    for (let i = 0; i < headers.length; ++i) {
      this.lines.push("header=" + headers.nameAt(i) + ": " + escaped(headers.valueAt(i).toArray()));
    }
  }
}

/** Printable ASCII as it is, everything else and the backslash as `\xNN`. */
function escaped(bytes: Uint8Array): string {
  let text = "";
  for (let i = 0; i < bytes.length; ++i) {
    const byte = bytes[i];
    const plain = byte >= 0x20 && byte <= 0x7e && byte != 0x5c;
    text += plain ? String.fromCharCode(byte) : "\\x" + (<u32>byte).toString(16).padStart(2, "0");
  }
  return text;
}
