import { asciiLower, headerNameProblem, headerValueProblem } from "./checks";
import { Reader } from "./reader";

/** The type of a configuration value. */
export enum Kind {
  nil,
  bool,
  int,
  float,
  string,
  list,
  map,
}

const KINDS: StaticArray<string> = ["nothing", "a boolean", "an integer", "a number", "a string", "a list", "a map"];
/** As deep as the contract lets values nest (wit/ABI.md, section 4). */
const DEEPEST = 16;
const NOT_UTF8 = "the string is not UTF-8";

/** What has gone wrong while a configuration was read; one for a configuration and everything in
 * it. */
class Problems {
  first: string | null = null;
  /** The first that lies in the bytes themselves: what the guest says of its configuration then
   * means nothing. */
  malformed: string | null = null;

  report(path: string, problem: string): void {
    if (this.first === null) this.first = path.length ? path + ": " + problem : problem;
  }

  reportMalformed(path: string, problem: string): void {
    this.report(path, problem);
    if (this.malformed === null) this.malformed = this.first;
  }
}

/**
 * One value of the configuration, copied: it may be kept. Reading it as another type than it has
 * gives that type's zero, and the configuration is refused with a message that names the key.
 */
export class Value {
  /** The value's type. */
  kind: Kind = Kind.nil;
  private integer: i64 = 0;
  private number: f64 = 0;
  private text: string = "";
  private items: Value[] = [];
  private keys: string[] = [];

  private constructor(private path: string, private problems: Problems) {}

  /** Whether there is nothing, as in a list that has gaps. */
  get isNil(): bool {
    return this.kind == Kind.nil;
  }

  /** Whether it is true. */
  get bool(): bool {
    return this.is(Kind.bool) && this.integer != 0;
  }

  /** The integer. */
  get int(): i64 {
    return this.is(Kind.int) ? this.integer : 0;
  }

  /** The number; an integer will do. */
  get float(): f64 {
    if (this.kind == Kind.int) return <f64>this.integer;
    return this.is(Kind.float) ? this.number : 0;
  }

  /** The string. */
  get string(): string {
    return this.is(Kind.string) ? this.text : "";
  }

  /** The string as the name of a header field that a guest may change, in lower case. */
  get headerName(): string {
    const name = this.string;
    if (this.kind == Kind.string) this.check(headerNameProblem(name));
    return asciiLower(name);
  }

  /** The string as the value of a header field. */
  get headerValue(): string {
    const value = this.string;
    this.check(headerValueProblem(value));
    return value;
  }

  /** The values of the list. */
  get list(): Value[] {
    return this.is(Kind.list) ? this.items : [];
  }

  /** The map. */
  get map(): Config {
    return this.is(Kind.map)
      ? new Config(this.path, this.problems, this.keys, this.items)
      : new Config(this.path, this.problems, [], []);
  }

  private check(problem: string | null): void {
    if (problem !== null) this.problems.report(this.path, problem);
  }

  private is(kind: Kind): bool {
    if (this.kind == kind) return true;
    this.problems.report(this.path, "expected " + KINDS[kind] + ", found " + KINDS[this.kind]);
    return false;
  }

  /** Decodes the next value. */
  static read(reader: Reader, path: string, problems: Problems, depth: i32): Value {
    if (depth > DEEPEST) throw new Error("the configuration is nested too deeply at " + path);
    const value = new Value(path, problems);
    const head = reader.peek();
    if (head == 0xc0) reader.nil();
    else if (head == 0xc2 || head == 0xc3) {
      value.kind = Kind.bool;
      value.integer = reader.bool();
    } else if (head == 0xca || head == 0xcb) {
      value.kind = Kind.float;
      value.number = reader.float();
    } else if ((head & 0xe0) == 0xa0 || (head >= 0xd9 && head <= 0xdb)) {
      value.kind = Kind.string;
      const text = reader.validString();
      if (text !== null) value.text = text;
      else problems.reportMalformed(path, NOT_UTF8);
    } else if ((head & 0xf0) == 0x90 || head == 0xdc || head == 0xdd) {
      value.kind = Kind.list;
      const count = reader.array();
      for (let i = 0; i < count; ++i) {
        value.items.push(Value.read(reader, path + "[" + i.toString() + "]", problems, depth + 1));
      }
    } else if ((head & 0xf0) == 0x80 || head == 0xde || head == 0xdf) {
      value.kind = Kind.map;
      const count = reader.map();
      for (let i = 0; i < count; ++i) {
        const valid = reader.validString();
        if (valid === null) problems.reportMalformed(path, "a key: " + NOT_UTF8);
        const key = valid !== null ? valid : "?";
        value.keys.push(key);
        value.items.push(Value.read(reader, path.length ? path + "." + key : key, problems, depth + 1));
      }
    } else {
      value.kind = Kind.int;
      value.integer = reader.int();
    }
    return value;
  }
}

/** A header field from the configuration. */
@final
export class HeaderField {
  /** `name` is in lower case. */
  constructor(readonly name: string, readonly value: string) {}
}

/**
 * The guest's configuration, or a map in it: what the gateway's TOML has under `config`. Everything
 * is a copy and may be kept.
 *
 * A key of the wrong type gives the default, and the guest is refused with a message that names the
 * key, unless `configure` returns a message of its own. `return config.finish()` refuses keys that
 * nobody asked for as well, which are most likely misspelt.
 */
export class Config {
  private read: StaticArray<bool>;
  private nested: Config[] = [];

  /** Made by the SDK. */
  constructor(private path: string, private problems: Problems, private names: string[], private values: Value[]) {
    this.read = new StaticArray<bool>(names.length);
  }

  /** Decodes a configuration. */
  static open(start: usize, length: usize): Config {
    const reader = new Reader();
    reader.reset(start, length);
    const problems = new Problems();
    const value = Value.read(reader, "", problems, 1);
    if (value.kind != Kind.map) {
      problems.reportMalformed("", "expected " + KINDS[Kind.map] + ", found " + KINDS[value.kind]);
      return new Config("", problems, [], []);
    }
    if (!reader.done) throw new Error("the configuration has bytes after its end");
    return value.map;
  }

  /** The keys, in order. */
  get keys(): string[] {
    return this.names.slice();
  }

  /** Whether there is such a key. */
  has(key: string): bool {
    return this.names.includes(key);
  }

  /** The value of any type, or null. */
  get(key: string): Value | null {
    const index = this.names.indexOf(key);
    if (index < 0) return null;
    this.read[index] = true;
    return this.values[index];
  }

  /** A string, or the default. */
  string(key: string, otherwise: string = ""): string {
    const value = this.get(key);
    return value === null ? otherwise : value.string;
  }

  /** A string, or null. */
  optionalString(key: string): string | null {
    const value = this.get(key);
    return value === null ? null : value.string;
  }

  /** An integer, or the default. */
  int(key: string, otherwise: i64 = 0): i64 {
    const value = this.get(key);
    return value === null ? otherwise : value.int;
  }

  /** A number, or the default. */
  float(key: string, otherwise: f64 = 0): f64 {
    const value = this.get(key);
    return value === null ? otherwise : value.float;
  }

  /** A boolean, or the default. */
  bool(key: string, otherwise: bool = false): bool {
    const value = this.get(key);
    return value === null ? otherwise : value.bool;
  }

  /** The values of a list; none when there is no such key. */
  list(key: string): Value[] {
    const value = this.get(key);
    return value === null ? [] : value.list;
  }

  /** The name of a header field that a guest may change, in lower case, or the default. */
  headerName(key: string, otherwise: string): string {
    const value = this.get(key);
    return value === null ? otherwise : value.headerName;
  }

  /** A list of such names; empty when there is no such key. */
  headerNames(key: string): string[] {
    const values = this.list(key);
    const names: string[] = [];
    for (let i = 0; i < values.length; ++i) names.push(values[i].headerName);
    return names;
  }

  /** A map from such names to values, in order; empty when there is no such key. */
  headers(key: string): HeaderField[] {
    const map = this.map(key);
    const fields: HeaderField[] = [];
    for (let i = 0; i < map.names.length; ++i) {
      const name = map.names[i];
      const problem = headerNameProblem(name);
      if (problem !== null) map.refuse(problem);
      fields.push(new HeaderField(asciiLower(name), map.get(name)!.headerValue));
    }
    return fields;
  }

  /** A list of strings; empty when there is no such key. */
  strings(key: string): string[] {
    const values = this.list(key);
    const strings: string[] = [];
    for (let i = 0; i < values.length; ++i) strings.push(values[i].string);
    return strings;
  }

  /** A map; an empty one when there is no such key. */
  map(key: string): Config {
    const value = this.get(key);
    const map = value === null ? new Config(this.inside(key), this.problems, [], []) : value.map;
    this.nested.push(map);
    return map;
  }

  /** Refuses the configuration if there is no such key. */
  require(key: string): void {
    if (!this.has(key)) this.refuse("missing key `" + key + "`");
  }

  /** Refuses the configuration with a message about this map. */
  refuse(problem: string): void {
    this.problems.report(this.path, problem);
  }

  /** What is wrong with the bytes, whatever the guest makes of them, or null. */
  get malformed(): string | null {
    return this.problems.malformed;
  }

  /** What is wrong so far, or null. */
  get problem(): string | null {
    return this.problems.first;
  }

  /** What is wrong, keys included that nobody asked for, or null: the result of `configure`. */
  finish(): string | null {
    this.refuseUnread();
    return this.problem;
  }

  private refuseUnread(): void {
    for (let i = 0; i < this.read.length; ++i) {
      if (!this.read[i]) this.refuse("unknown key `" + this.names[i] + "`");
    }
    for (let i = 0; i < this.nested.length; ++i) this.nested[i].refuseUnread();
  }

  private inside(key: string): string {
    return this.path.length ? this.path + "." + key : key;
  }
}
