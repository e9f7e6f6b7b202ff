// A guest that calls the functions of the host that its configuration names, and answers with a
// line for each. The Rust guest `host-functions` beside it does the same.

import {
  clock, Config, Guest, http, HttpRequest, kv, KvError, MetricKind, metrics, random, Request, Response,
} from "@sentinel-gateway/assemblyscript";

export class HostFunctions extends Guest {
  private calls: string[] = [];

  configure(config: Config): string | null {
    this.calls = config.strings("calls");
    return config.finish();
  }

  onRequest(_: Request): Response | null {
    if (this.calls.length == 1 && this.calls[0] == "print") console.log("called");
    const lines: string[] = [];
    for (let i = 0; i < this.calls.length; ++i) lines.push(call(this.calls[i].split(" ")));
    return new Response().body(lines.join("\n"));
  }
}

function call(words: string[]): string {
  const name = words[0];
  if (name == "trap") return trap(words[1]);
  if (name == "print") {
    console.log("printed 1");
    console.warn("complained");
    console.debug("2 + 3 = 5");
    return "5";
  }
  if (name == "item") return item(words[1], I32.parseInt(words[2]));
  if (name == "clock") return clock.wall().toString() + " " + clock.monotonic().toString();
  if (name == "random") return hex(random.bytes(I32.parseInt(words[1])));
  if (name == "number") return random.number().toString();
  if (name == "add") {
    metrics.add(words[1], pairs(words), <u64>I64.parseInt(words[2]));
    return "";
  }
  if (name == "observe") {
    metrics.observe(words[1], pairs(words), F64.parseFloat(words[2]));
    return "";
  }
  if (name == "describe") {
    const kind = words[2] == "histogram" ? MetricKind.histogram : MetricKind.counter;
    metrics.describe(words[1], kind, textOf(words[3]), textOf(words[4]), numbers(words.slice(5)));
    return "";
  }
  if (name == "get") {
    const value = kv.get(words[1]);
    if (value === null) return told("absent");
    return value.length.toString() + " bytes " + hex(value.subarray(0, 8));
  }
  if (name == "set") {
    kv.setString(words[1], words[2], <u64>I64.parseInt(words[3]));
    return told("done");
  }
  if (name == "fill") {
    kv.set(words[1], new Uint8Array(I32.parseInt(words[2])).fill(0x78), 0);
    return told("done");
  }
  if (name == "delete") return told(kv.delete(words[1]).toString());
  if (name == "count") return told(kv.add(words[1], I64.parseInt(words[2]), <u64>I64.parseInt(words[3])).toString());
  if (name == "http") {
    const request = new HttpRequest(words[1], words[2]).header("X-Test", "yes").body(words[3]);
    const timeout = <u32>I32.parseInt(words[4]);
    if (timeout) request.timeout(timeout);
    const answer = request.send();
    if (answer === null) return HTTP_ERRORS[http.error()];
    const header = answer.header("X-Answer");
    return answer.status.toString() + " " + (header === null ? "none" : header) + " " + answer.text;
  }
  throw new Error("no function " + name);
}

function trap(text: string): string {
  return (1 / (text.length - 3)).toString(); // tests look for this line
}

/** Indexes twice, so that what fails of each could be shared. */
function item(kind: string, at: i32): string {
  if (kind == "texts") {
    const texts = "a b c".split(" ");
    const before = texts[at / 2];
    return before + texts[at]; // tests look for this index of texts
  }
  if (kind == "numbers") {
    const numbers: i32[] = [1, 2, at];
    const before = numbers[at / 2];
    return (before + numbers[at]).toString(); // tests look for this index of numbers
  }
  if (kind == "bytes") {
    const bytes = new Uint8Array(3);
    const before = bytes[at / 2];
    bytes[at / 3] = before + 1;
    return (before + bytes[at]).toString(); // tests look for this index of bytes
  }
  const fixed: StaticArray<i32> = [1, 2, at];
  const before = fixed[at / 2];
  fixed[at] = before; // tests look for this index of fixed
  return before.toString();
}

const HTTP_ERRORS: StaticArray<string> = [
  "", "Denied", "Invalid", "TooMany", "Timeout", "Unreachable", "TooLarge",
];
const ERRORS: StaticArray<string> = ["", "Full", "TooLarge", "NotANumber", "Unavailable"];

/** What went well, or the error. */
function told(result: string): string {
  return kv.error() == KvError.none ? result : ERRORS[kv.error()];
}

/** A text of the calls: `-` stands for an empty one. */
function textOf(word: string): string {
  return word == "-" ? "" : word;
}

function numbers(words: string[]): f64[] {
  const found: f64[] = [];
  for (let i = 0; i < words.length; ++i) found.push(F64.parseFloat(words[i]));
  return found;
}

/** Labels, each written `name=value`. */
function pairs(words: string[]): string[][] {
  const labels: string[][] = [];
  for (let i = 3; i < words.length; ++i) labels.push(words[i].split("="));
  return labels;
}

function hex(bytes: Uint8Array): string {
  let text = "";
  for (let i = 0; i < bytes.length; ++i) text += bytes[i].toString(16).padStart(2, "0");
  return text;
}
