// Who owns which memory (wit/ABI.md, section 2): the gateway writes the arguments of a head's hook
// to a place that we lend it, if they fit, and all others into blocks that it asks for here. From
// then on they are ours. Blocks are unmanaged, invisible to the garbage collector, and freed when
// the hook returns. Most calls need a few hundred bytes: those lie in one area that every call uses
// anew, because the heap takes longer to find a block than a hook takes to work. What a hook
// returns lies in one buffer that is used again by the next call.

/** The area: first the part that is lent for arguments, then that for blocks. */
const ARGUMENTS: usize = 4096;
const AREA: usize = 8192;
const area = memory.data(8192, 8);
let used: usize = ARGUMENTS;

/** Counts the calls of hooks. What was made in one call may not be used in another. */
let generation: u32 = 1;

/** The call that a borrowed value belongs to. */
// @ts-ignore: decorator
@inline
export function currentCall(): u32 {
  return generation;
}

/** Traps with a clear message when a borrowed value outlived the hook that it was given to. */
// @ts-ignore: decorator
@inline
export function assertCurrent(call: u32): void {
  if (call != generation) stale();
}

/**
 * How many requests (and responses) are made before the first one is lent again. Making one for each
 * call and collecting it takes longer than most hooks do; one that outlived its hook is found out in
 * all calls but those that it is lent to.
 */
export const LENT: i32 = 32;

function stale(): void {
  throw new Error("a value that was lent to a hook is used after that hook has returned; copy what has to live longer");
}

/** Where the gateway may write arguments without asking: the address, and above it the length. */
export function sentinel_argument_area(): u64 {
  return ((<u64>ARGUMENTS) << 32) | (<u64>area);
}

/** The allocator that the canonical ABI asks for. */
export function cabi_realloc(old: usize, oldSize: usize, align: usize, size: usize): usize {
  // An empty list has a pointer that is aligned and not null, and owns nothing. heap.realloc traps
  // for an old pointer of 0.
  if (!size) return align;
  if (!oldSize) return allocate(size);
  if (!isInArea(old)) return heap.realloc(old, size);
  const moved = allocate(size);
  memory.copy(moved, old, min(oldSize, size));
  return moved;
}

// @ts-ignore: decorator
@inline
function allocate(size: usize): usize {
  if (size > AREA - used) return heap.alloc(size);
  const start = area + used;
  used += (size + 7) & ~7;
  return start;
}

// @ts-ignore: decorator
@inline
function isInArea(block: usize): bool {
  return block - area < AREA;
}

/** Frees a block of `cabi_realloc`, whose size is not 0, or an argument; what is in the area is
 * free when the call ends. */
// @ts-ignore: decorator
@inline
export function free(block: usize): void {
  if (!isInArea(block)) heap.free(block);
}

/**
 * The garbage collector lets the heap double before it sets to work, and what a guest makes of a
 * large body would use the gateway's memory limit up long before that: after a call that moved more
 * than this many bytes everything is collected at once.
 */
export const LARGE: usize = 64 * 1024;
let large: bool = false;

/** Frees an argument of a hook. An empty one owns nothing. */
// @ts-ignore: decorator
@inline
export function release(argument: usize, length: usize): void {
  if (!length) return;
  if (length > LARGE) large = true;
  free(argument);
}

/** Ends a call: what was lent to the hook is gone. */
// @ts-ignore: decorator
@inline
export function endCall(): void {
  ++generation;
  used = ARGUMENTS;
  if (large) {
    large = false;
    __collect();
  }
}
