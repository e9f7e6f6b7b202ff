// @ts-ignore: decorator
@external("sentinel:gateway/log@0.1.0", "write")
declare function hostWrite(level: i32, message: usize, length: usize): void;

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
  hostWrite(level, message, length);
}

/**
 * The gateway's log: `log.info("...")`. Writing never blocks and cannot fail; a line beyond 8 KiB
 * is cut, and lines that the gateway's buffer has no room for are dropped and counted.
 */
export namespace log {
  /** Writes one line at `level`. */
  export function write(level: Level, message: string): void {
    const encoded = String.UTF8.encode(message);
    hostWrite(level, changetype<usize>(encoded), encoded.byteLength);
  }

  /** The finest detail. */
  export function trace(message: string): void {
    write(Level.trace, message);
  }

  /** For whoever works on the guest. */
  export function debug(message: string): void {
    write(Level.debug, message);
  }

  /** Normal operation. */
  export function info(message: string): void {
    write(Level.info, message);
  }

  /** Something is off, and the guest goes on. */
  export function warn(message: string): void {
    write(Level.warn, message);
  }

  /** Something failed. */
  export function error(message: string): void {
    write(Level.error, message);
  }
}
