/** The configuration's schema: a JSON Schema as a literal, whose types are those of the
 * configuration. */
import { ConfigError } from "./errors.ts";

export interface Schema {
  readonly type?: "object" | "array" | "string" | "integer" | "number" | "boolean";
  readonly description?: string;
  readonly default?: unknown;
  readonly enum?: readonly unknown[];
  readonly properties?: { readonly [name: string]: Schema };
  readonly required?: readonly string[];
  readonly additionalProperties?: boolean | Schema;
  readonly items?: Schema;
  readonly minimum?: number;
  readonly maximum?: number;
  readonly minLength?: number;
  readonly maxLength?: number;
  readonly minItems?: number;
  readonly maxItems?: number;
  readonly minProperties?: number;
  readonly maxProperties?: number;
}

type Properties<S> = S extends { properties: infer P } ? P : {};
type Required<S> = S extends { required: readonly (infer N)[] } ? N : never;
type Present<S, N> = S extends { default: unknown } | { type: "object" | "array" }
  ? true
  : N extends true
    ? true
    : false;
type Member<S, R extends boolean> = Present<S, R> extends true ? ConfigOf<S> : ConfigOf<S> | undefined;
type ObjectOf<S> = {
  [N in keyof Properties<S>]: Member<Properties<S>[N], N extends Required<S> ? true : false>;
} & (S extends { additionalProperties: infer A extends Schema } ? { [name: string]: ConfigOf<A> } : {});

/** What a configuration is by its schema. What is absent has its `default`; objects and arrays are
 * empty then. */
export type ConfigOf<S> = S extends { enum: readonly (infer E)[] }
  ? E
  : S extends { type: "string" }
    ? string
    : S extends { type: "integer" | "number" }
      ? number
      : S extends { type: "boolean" }
        ? boolean
        : S extends { type: "array"; items: infer I }
          ? ConfigOf<I>[]
          : S extends { type: "object" }
            ? ObjectOf<S>
            : unknown;

/** A schema as a literal, with its types. */
export function configSchema<const S extends Schema>(schema: S): S {
  return schema;
}

const NAMES = {
  object: "a map",
  array: "a list",
  string: "text",
  integer: "a whole number",
  number: "a number",
  boolean: "true or false",
};

function isA(type: NonNullable<Schema["type"]>, value: unknown): boolean {
  if (type === "array") return Array.isArray(value);
  if (type === "object")
    return typeof value === "object" && value !== null && !Array.isArray(value) && !(value instanceof Uint8Array);
  if (type === "integer") return Number.isInteger(value);
  return typeof value === type;
}

function refuse(at: string, problem: string): never {
  throw new ConfigError(at === "" ? problem : `${at}: ${problem}`);
}

function bounded(at: string, size: number, least: number | undefined, most: number | undefined, unit: string): void {
  if (least !== undefined && size < least) refuse(at, `at least ${least}${unit}`);
  if (most !== undefined && size > most) refuse(at, `at most ${most}${unit}`);
}

/** The configuration with its defaults. Throws ConfigError with the path of what does not fit. */
export function readConfig(schema: Schema, value: unknown, at = ""): unknown {
  if (schema.type !== undefined && !isA(schema.type, value)) refuse(at, `expected ${NAMES[schema.type]}`);
  if (schema.enum !== undefined && !schema.enum.includes(value))
    refuse(at, `one of ${schema.enum.join(", ")} is needed`);
  if (typeof value === "string") bounded(at, [...value].length, schema.minLength, schema.maxLength, " characters");
  else if (typeof value === "number") bounded(at, value, schema.minimum, schema.maximum, "");
  else if (Array.isArray(value)) {
    bounded(at, value.length, schema.minItems, schema.maxItems, " entries");
    return schema.items ? value.map((each, index) => readConfig(schema.items!, each, `${at}[${index}]`)) : value;
  } else if (isA("object", value)) return readObject(schema, value as { [name: string]: unknown }, at);
  return value;
}

function readObject(schema: Schema, value: { [name: string]: unknown }, at: string): unknown {
  const made: { [name: string]: unknown } = Object.create(null);
  const properties = schema.properties ?? {};
  const others = schema.additionalProperties ?? true;
  bounded(at, Object.keys(value).length, schema.minProperties, schema.maxProperties, " entries");
  for (const name of Object.keys(value)) {
    const inner = at === "" ? name : `${at}.${name}`;
    const known = Object.hasOwn(properties, name) ? properties[name]! : others;
    if (known === false) refuse(inner, "there is no such key");
    // The names of a map may be secrets.
    const shown = known === others ? `${at === "" ? "" : `${at}.`}*` : inner;
    made[name] = typeof known === "object" ? readConfig(known, value[name], shown) : value[name];
  }
  for (const name of Object.keys(properties)) {
    const property = properties[name]!;
    const inner = at === "" ? name : `${at}.${name}`;
    if (name in made) continue;
    if (schema.required?.includes(name)) refuse(inner, "is missing");
    if (property.default !== undefined) made[name] = property.default;
    else if (property.type === "object") made[name] = readConfig(property, {}, inner);
    else if (property.type === "array") made[name] = [];
  }
  return made;
}
