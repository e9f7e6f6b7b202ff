import { asciiLower } from "./checks";
import { Reader } from "./reader";
import { decode } from "./utf8";
import { Writer } from "./writer";

/**
 * A response made by a guest. One that is always the same can be made once, kept in a field and
 * returned again and again.
 *
 * ```ts
 * return new Response(401).header("www-authenticate", "ApiKey").body("no key\n");
 * ```
 */
@final
export class Response {
  private fields: Writer = new Writer(0);
  private count: i32 = 0;
  private bytes: Writer = new Writer(0);

  /** `status` is 200 to 599. */
  constructor(public status: u16 = 200) {}

  /** Adds a header field. The value is a string (sent as UTF-8), a `Bytes`, a `Uint8Array` or an
   * `ArrayBuffer`. */
  header<V>(name: string, value: V): this {
    ++this.count;
    this.fields.array(2);
    this.fields.name(name);
    this.fields.bytes<V>(value);
    return this;
  }

  /**
   * Sets the whole body: a string (sent as UTF-8), a `Bytes`, a `Uint8Array` or an `ArrayBuffer`.
   * The gateway writes its length.
   */
  body<V>(value: V): this {
    this.bytes.reset();
    this.bytes.bytes<V>(value);
    return this;
  }

  /** The first value of that name, whatever its case, as text, or null. */
  getHeader(name: string): string | null {
    const reader = new Reader();
    reader.reset(this.fields.pointer, this.fields.length);
    const wanted = asciiLower(name);
    for (let left = this.count; left > 0; --left) {
      reader.array();
      const found = reader.string() == wanted;
      const length = reader.bin();
      if (found) return decode(reader.position - length, length);
    }
    return null;
  }

  /** A copy of the body. */
  get content(): Uint8Array {
    if (!this.bytes.length) return new Uint8Array(0);
    const reader = new Reader();
    reader.reset(this.bytes.pointer, this.bytes.length);
    const length = reader.bin();
    const copy = new Uint8Array(length);
    memory.copy(copy.dataStart, reader.position - length, length);
    return copy;
  }

  /** Writes the response's record. */
  write(to: Writer): void {
    to.array(3);
    to.uint(this.status);
    to.array(this.count);
    to.raw(this.fields);
    if (this.bytes.length) to.raw(this.bytes);
    else to.bin(0, 0);
  }
}
