import { Level, log as lines } from "./log";

/** Takes the place of AssemblyScript's own `console`: each call is a line of the gateway's log. */
export namespace console {
  /** A line at level `error`, if the condition is false. */
  export function assert<T>(condition: T, message: string = "an assertion failed"): void {
    if (!condition) lines.write(Level.error, message);
  }

  /** A line at level `info`. */
  export function log(message: string = ""): void {
    lines.write(Level.info, message);
  }

  /** A line at level `debug`. */
  export function debug(message: string = ""): void {
    lines.write(Level.debug, message);
  }

  /** A line at level `info`. */
  export function info(message: string = ""): void {
    lines.write(Level.info, message);
  }

  /** A line at level `warn`. */
  export function warn(message: string = ""): void {
    lines.write(Level.warn, message);
  }

  /** A line at level `error`. */
  export function error(message: string = ""): void {
    lines.write(Level.error, message);
  }
}

/** Takes the place of AssemblyScript's own `trace`: the message and the first `count` numbers, at
 * level `trace`. */
export function trace(
  message: string,
  count: i32 = 0,
  a0: f64 = 0,
  a1: f64 = 0,
  a2: f64 = 0,
  a3: f64 = 0,
  a4: f64 = 0,
): void {
  let text = message;
  if (count > 0) text += " " + a0.toString();
  if (count > 1) text += ", " + a1.toString();
  if (count > 2) text += ", " + a2.toString();
  if (count > 3) text += ", " + a3.toString();
  if (count > 4) text += ", " + a4.toString();
  lines.write(Level.trace, text);
}
