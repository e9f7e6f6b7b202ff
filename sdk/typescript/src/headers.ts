import type { Reader, Value } from "./msgpack.ts";
import { bytesOf, decodeText } from "./text.ts";

/** Changes to header fields, in the order in which they are applied. */
export class HeaderEdits {
  readonly edits: Value[] = [];

  /** Removes every field of that name, then adds this one. */
  set(name: string, value: string | Uint8Array): void {
    this.edits.push([0, [name.toLowerCase(), bytesOf(value)]]);
  }

  /** Adds a field after those of the same name. */
  append(name: string, value: string | Uint8Array): void {
    this.edits.push([1, [name.toLowerCase(), bytesOf(value)]]);
  }

  /** Removes every field of that name. */
  remove(name: string): void {
    this.edits.push([2, name.toLowerCase()]);
  }

  /** Adds the changes that were collected elsewhere, such as in `configure`. */
  add(others: HeaderEdits): void {
    for (const edit of others.edits) this.edits.push(edit);
  }
}

/** The header fields of a message as they arrived, and the changes to them. Names are lower
 * case. */
export class Headers extends HeaderEdits {
  private names: string[] | null = null;
  private readonly values: Uint8Array[] = [];
  private readonly start: number;

  constructor(private readonly record: Reader) {
    super();
    this.start = record.at;
  }

  /** What is not asked for is not decoded. */
  private all(): string[] {
    if (this.names !== null) return this.names;
    const record = this.record;
    record.at = this.start;
    const names: string[] = [];
    for (let left = record.array(); left > 0; left--) {
      record.array();
      names.push(record.text());
      this.values.push(record.raw());
    }
    this.end = record.at;
    return (this.names = names);
  }

  private end = 0;

  /** Where the record goes on behind the fields. */
  behind(): number {
    this.all();
    return this.end;
  }

  get length(): number {
    return this.all().length;
  }

  nameAt(index: number): string {
    return this.all()[index]!;
  }

  valueAt(index: number): Uint8Array {
    this.all();
    return this.values[index]!;
  }

  has(name: string): boolean {
    return this.all().includes(name.toLowerCase());
  }

  count(name: string): number {
    const wanted = name.toLowerCase();
    return this.all().filter((each) => each === wanted).length;
  }

  /** The first value of that name as text, or null. */
  get(name: string): string | null {
    const value = this.getBytes(name);
    return value === null ? null : decodeText(value);
  }

  /** The first value of that name, or null. Values need not be text. */
  getBytes(name: string): Uint8Array | null {
    const index = this.all().indexOf(name.toLowerCase());
    return index < 0 ? null : this.values[index]!;
  }

  /** Every value of that name as text, in order. */
  getAll(name: string): string[] {
    const wanted = name.toLowerCase();
    const found: string[] = [];
    this.all().forEach((each, index) => {
      if (each === wanted) found.push(decodeText(this.values[index]!));
    });
    return found;
  }

  *[Symbol.iterator](): IterableIterator<[string, Uint8Array]> {
    const names = this.all();
    for (let index = 0; index < names.length; index++) yield [names[index]!, this.values[index]!];
  }
}
