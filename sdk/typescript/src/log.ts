import { write } from "sentinel:gateway/log@0.1.0";

/** Lines in the gateway's log. */
export const log = {
  trace: (message: string): void => write("trace", message),
  debug: (message: string): void => write("debug", message),
  info: (message: string): void => write("info", message),
  warn: (message: string): void => write("warn", message),
  error: (message: string): void => write("error", message),
};
