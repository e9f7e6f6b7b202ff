// @ts-ignore: decorator
@external("sentinel:gateway/log@0.1.0", "write")
declare function write(level: i32, message: usize, length: usize): void;

/** How much a line matters; the order is that of the contract's `level`. */
export enum Level {
  trace,
  debug,
  info,
  warn,
  error,
}

/** Writes UTF-8 that is already in memory. The gateway reads it during the call. */
export function writeBytes(level: Level, message: usize, length: usize): void {
  write(level, message, length);
}

/**
 * The gateway's log: `log.info("...")`. Writing never blocks and cannot fail; a line beyond 8 KiB is cut, and lines
 * that the gateway's buffer has no room for are dropped and counted.
 */
export namespace log {
  /** Writes one line at `level`. */
  export function line(level: Level, message: string): void {
    const encoded = String.UTF8.encode(message);
    write(level, changetype<usize>(encoded), encoded.byteLength);
  }

  /** The finest detail. */
  export function trace(message: string): void {
    line(Level.trace, message);
  }

  /** For whoever works on the guest. */
  export function debug(message: string): void {
    line(Level.debug, message);
  }

  /** Normal operation. */
  export function info(message: string): void {
    line(Level.info, message);
  }

  /** Something is off, and the guest goes on. */
  export function warn(message: string): void {
    line(Level.warn, message);
  }

  /** Something failed. */
  export function error(message: string): void {
    line(Level.error, message);
  }
}
