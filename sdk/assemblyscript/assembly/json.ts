/**
 * A JSON object for a log line or a small answer, written one member after the other:
 * `new JsonObject().string("path", "/a").number("status", 200).toString()`.
 */
@final
export class JsonObject {
  private text: string = "";

  /** Adds a string. */
  string(name: string, value: string): this {
    return this.member(name, quoted(value));
  }

  /** Adds a string, or nothing. */
  optionalString(name: string, value: string | null): this {
    return value === null ? this : this.string(name, value);
  }

  /** Adds a number. */
  number(name: string, value: u64): this {
    return this.member(name, value.toString());
  }

  /** The object as JSON text. */
  toString(): string {
    return "{" + this.text + "}";
  }

  private member(name: string, value: string): this {
    if (this.text.length) this.text += ",";
    this.text += quoted(name) + ":" + value;
    return this;
  }
}

/** RFC 8259, section 7. */
function quoted(value: string): string {
  let start = 0;
  let escaped = "";
  for (let i = 0; i < value.length; ++i) {
    const unit = value.charCodeAt(i);
    if (unit >= 0x20 && unit != 0x22 && unit != 0x5c) continue;
    escaped += value.substring(start, i);
    escaped += unit < 0x20 ? "\\u00" + (unit < 0x10 ? "0" : "") + unit.toString(16) : "\\" + value.charAt(i);
    start = i + 1;
  }
  return '"' + escaped + value.substring(start) + '"';
}
