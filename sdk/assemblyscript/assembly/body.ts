import { answer } from "./answer";

/** Whether, and how, a guest sees a message's body. */
export enum BodyKind {
  skip,
  stream,
  buffer,
}

/** Writes a `body-mode`. */
export function writeBodyMode(kind: BodyKind, limit: u32): void {
  if (kind == BodyKind.buffer) {
    answer.array(2);
    answer.uint(BodyKind.buffer);
    answer.uint(limit);
  } else {
    answer.array(1);
    answer.uint(kind);
  }
}
