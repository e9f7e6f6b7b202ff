// The configuration's schema on its way into the guest's file: a custom section with what its
// author wrote.

import { guestSection } from "./guest-files.mjs";

/** The section for `config-schema.json`, as {@link guestSection} finds it. */
export function configSchemaSection(entry) {
  return guestSection(entry, "config-schema.json", "sentinel:config-schema", (schema) => {
    if (typeof schema !== "object" || schema === null || Array.isArray(schema)) throw new Error("expected a schema, an object");
  });
}
