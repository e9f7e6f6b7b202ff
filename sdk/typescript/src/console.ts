import { log } from "./log.ts";

function shown(value: unknown): string {
  if (typeof value === "string") return value;
  if (value instanceof Error) return value.stack ? `${value}\n${value.stack.trimEnd()}` : String(value);
  if (typeof value !== "object" || value === null) return String(value);
  try {
    return JSON.stringify(value);
  } catch {
    return String(value);
  }
}

const line =
  (write: (message: string) => void) =>
  (...values: unknown[]): void =>
    write(values.map(shown).join(" "));

/** `console` of a guest: lines in the gateway's log. */
export const guestConsole = {
  log: line(log.info),
  info: line(log.info),
  debug: line(log.debug),
  trace: line(log.trace),
  warn: line(log.warn),
  error: line(log.error),
};
