import { Writer } from "./writer";

/**
 * A response made by a guest. One that is always the same can be made once, kept in a field and returned again and
 * again.
 *
 * ```ts
 * return new Response(401).header("www-authenticate", "ApiKey").body("no key\n");
 * ```
 */
@final
export class Response {
  private fields: Writer = new Writer(0);
  private count: i32 = 0;
  private content: Writer = new Writer(0);

  /** `status` is 200 to 599. */
  constructor(public status: u16 = 200) {}

  /** Adds a header field. The value is a string (sent as UTF-8), a `Bytes`, a `Uint8Array` or an `ArrayBuffer`. */
  header<V>(name: string, value: V): this {
    ++this.count;
    this.fields.array(2);
    this.fields.name(name);
    this.fields.bytes<V>(value);
    return this;
  }

  /**
   * Sets the whole body: a string (sent as UTF-8), a `Bytes`, a `Uint8Array` or an `ArrayBuffer`. The gateway writes
   * its length.
   */
  body<V>(value: V): this {
    this.content.reset();
    this.content.bytes<V>(value);
    return this;
  }

  /** Writes the response's record. */
  write(to: Writer): void {
    to.array(3);
    to.uint(this.status);
    to.array(this.count);
    to.raw(this.fields);
    if (this.content.length) to.raw(this.content);
    else to.bin(0, 0);
  }
}
