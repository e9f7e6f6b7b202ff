/** Keeps the table under 512 KiB. */
const LONGEST = 1024;

/** What is wrong with words that are to be found, or null. */
export function wordsProblem(words: string[]): string | null {
  let length = 0;
  for (let i = 0; i < words.length; ++i) {
    if (!words[i].length) return "words: a word is empty";
    length += String.UTF8.byteLength(words[i]);
  }
  return length > LONGEST ? "words: at most " + LONGEST.toString() + " bytes together" : null;
}

/**
 * Finds words in a stream: the automaton of Aho and Corasick (1975), with a table over the bytes
 * that occur in words.
 */
export class Words {
  /** The column of each byte; 0 is that of all bytes that are in no word. */
  private columns: StaticArray<u8> = new StaticArray<u8>(256);
  private width: i32 = 1;
  private table: StaticArray<u16> = new StaticArray<u16>(0);
  private ends: Array<u16> = [];
  private opens: Array<u16> = [];
  private depths: Array<u16> = [];
  /** The length of the shortest word; more than a body can have if there is none. */
  readonly shortest: i32;

  constructor(words: string[]) {
    const encoded = words.map<Uint8Array>((word) => Uint8Array.wrap(String.UTF8.encode(word)));
    let length = 0;
    let shortest = i32.MAX_VALUE;
    for (let i = 0; i < encoded.length; ++i) {
      this.addColumns(encoded[i]);
      length += encoded[i].length;
      shortest = min(shortest, encoded[i].length);
    }
    this.shortest = shortest;
    this.table = new StaticArray<u16>((length + 1) * this.width);
    this.addState(0);
    for (let i = 0; i < encoded.length; ++i) this.insert(encoded[i]);
    this.close();
  }

  /** Whether the byte occurs in a word. */
  contain(byte: u8): bool {
    return this.columns[byte] != 0;
  }

  next(state: i32, byte: u8): i32 {
    // No state and no column is beyond the table.
    return unchecked(this.table[state * this.width + unchecked(this.columns[byte])]);
  }

  /** The length of the longest word that ends here, or 0. */
  found(state: i32): i32 {
    return unchecked(this.ends[state]);
  }

  /** How many bytes before this place may be the beginning of a word and are in none yet. */
  open(state: i32): i32 {
    return this.opens[state];
  }

  private addColumns(word: Uint8Array): void {
    for (let i = 0; i < word.length; ++i) {
      if (this.columns[word[i]]) continue;
      // Text has fewer than 255 different bytes: UTF-8 leaves 13 out.
      this.columns[word[i]] = <u8>this.width;
      ++this.width;
    }
  }

  private addState(depth: u16): i32 {
    this.ends.push(0);
    this.opens.push(0);
    return this.depths.push(depth) - 1;
  }

  private insert(word: Uint8Array): void {
    let state = 0;
    for (let i = 0; i < word.length; ++i) {
      const slot = state * this.width + this.columns[word[i]];
      if (!this.table[slot]) {
        const child = this.addState(this.depths[state] + 1);
        this.table[slot] = <u16>child;
      }
      state = this.table[slot];
    }
    this.ends[state] = <u16>word.length;
  }

  /** Makes an automaton of the tree: where a state has no child, it goes where its longest proper
   * suffix goes. */
  private close(): void {
    const width = this.width;
    const suffix = new StaticArray<i32>(this.depths.length);
    const queue: i32[] = [0];
    for (let first = 0; first < queue.length; ++first) {
      const state = queue[first];
      let leaf = true;
      for (let column = 0; column < width; ++column) {
        const slot = state * width + column;
        const bySuffix = state ? this.table[suffix[state] * width + column] : 0;
        const child = this.table[slot];
        if (!child) {
          this.table[slot] = bySuffix;
          continue;
        }
        leaf = false;
        suffix[child] = bySuffix;
        this.ends[child] = max(this.ends[child], this.ends[bySuffix]);
        queue.push(child);
      }
      const open = leaf ? this.opens[suffix[state]] : this.depths[state];
      // A word that ends here and covers all of it leaves nothing open.
      this.opens[state] = this.ends[state] >= open ? 0 : open;
    }
  }
}
