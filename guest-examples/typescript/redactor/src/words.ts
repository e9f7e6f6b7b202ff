/** Finds words in a stream: the automaton of Aho and Corasick (1975). State 0 is its beginning. */
export class Words {
  /** Each state's successors by byte; those back to the beginning are left out. */
  private readonly successors: Map<number, number>[] = [new Map()];
  private readonly lengths: number[] = [0];
  private readonly depths: number[] = [0];
  private readonly opens: number[];
  /** The bytes that occur in words. */
  readonly bytes: ReadonlySet<number>;

  constructor(words: readonly Uint8Array[]) {
    this.bytes = new Set(words.flatMap((word) => [...word]));
    for (const word of words) this.insert(word);
    this.opens = this.close();
  }

  next(state: number, byte: number): number {
    return this.successors[state]!.get(byte) ?? 0;
  }

  /** The length of the longest word that ends here, or 0. */
  found(state: number): number {
    return this.lengths[state]!;
  }

  /** How many bytes before this place may be the beginning of a word and are in none yet. */
  open(state: number): number {
    return this.opens[state]!;
  }

  private insert(word: Uint8Array): void {
    let state = 0;
    for (const byte of word) {
      let child = this.successors[state]!.get(byte);
      if (child === undefined) {
        child = this.successors.push(new Map()) - 1;
        this.lengths.push(0);
        this.depths.push(this.depths[state]! + 1);
        this.successors[state]!.set(byte, child);
      }
      state = child;
    }
    this.lengths[state] = word.length;
  }

  /** Makes an automaton of the tree: a state without a child goes where its longest proper suffix
   * goes. */
  private close(): number[] {
    const suffix = [0];
    const opens = [0];
    const queue = [0];
    for (const state of queue) {
      const children = new Map(this.successors[state]);
      const inherited = state === 0 ? new Map<number, number>() : this.successors[suffix[state]!]!;
      for (const [byte, child] of children) {
        suffix[child] = inherited.get(byte) ?? 0;
        this.lengths[child] = Math.max(this.lengths[child]!, this.lengths[suffix[child]!]!);
        queue.push(child);
      }
      this.successors[state] = new Map([...inherited, ...children]);
      const length = children.size > 0 ? this.depths[state]! : opens[suffix[state]!]!;
      // A word that ends here and covers all of it leaves nothing open.
      opens[state] = this.lengths[state]! >= length ? 0 : length;
    }
    return opens;
  }
}
