// A guest that calls the functions of the host that its configuration names, and answers with a line for each. The Rust guest
// `host-functions` beside it does the same.

import { clock, Config, Guest, random, Request, Response } from "@sentinel-gateway/assemblyscript";

export class HostFunctions extends Guest {
  private calls: string[] = [];

  configure(config: Config): string | null {
    this.calls = config.strings("calls");
    return config.finish();
  }

  onRequest(_: Request): Response | null {
    const lines: string[] = [];
    for (let i = 0; i < this.calls.length; ++i) lines.push(call(this.calls[i].split(" ")));
    return new Response().body(lines.join("\n"));
  }
}

function call(words: string[]): string {
  const name = words[0];
  if (name == "clock") return clock.wall().toString() + " " + clock.monotonic().toString();
  if (name == "random") return hex(random.bytes(I32.parseInt(words[1])));
  if (name == "number") return random.number().toString();
  throw new Error("no function " + name);
}

function hex(bytes: Uint8Array): string {
  let text = "";
  for (let i = 0; i < bytes.length; ++i) text += bytes[i].toString(16).padStart(2, "0");
  return text;
}
