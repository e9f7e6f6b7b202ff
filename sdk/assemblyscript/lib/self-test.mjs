// The self-test on its way into the guest's file: a custom section with the cases as their author
// wrote them.

import { guestSection } from "./guest-files.mjs";

/** The section for `self-test.json`, as {@link guestSection} finds it. */
export function selfTestSection(entry) {
  return guestSection(entry, "self-test.json", "sentinel:self-test", (cases) => {
    if (!Array.isArray(cases)) throw new Error("expected an array of cases");
  });
}
