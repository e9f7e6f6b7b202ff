import assert from "node:assert/strict";
import { describe, test } from "node:test";

import { compileText, guestOf, NIL, pack, requestHead, responseHead } from "./support.mjs";
import { HOOKS } from "../lib/hooks.mjs";

const IMPORT = `import {
  Config, Guest, Request, RequestChunk, Response, ResponseChunk, IncomingResponse, Summary,
} from "@sentinel-gateway/assemblyscript";\n`;
const METHODS = {
  configure: "configure(config: Config): string | null { return null; }",
  onRequest: "onRequest(request: Request): Response | null { return null; }",
  onResponse: "onResponse(response: IncomingResponse): Response | null { return null; }",
  onComplete: "onComplete(summary: Summary): void {}",
  onRequestChunk: "onRequestChunk(chunk: RequestChunk): Response | null { return null; }",
  onResponseChunk: "onResponseChunk(chunk: ResponseChunk): Response | null { return null; }",
};
const guestWith = (...members) => `${IMPORT}export class Sample extends Guest {\n${members.join("\n")}\n}\n`;

async function exportsOf(text) {
  const { module } = await compileText(text);
  return WebAssembly.Module.exports(new WebAssembly.Module(module))
    .map(({ name }) => name)
    .sort();
}

const EVERY = ["_initialize", "cabi_realloc", "memory", "sentinel_argument_area"];

function expectedExports(...hooks) {
  const names = hooks.flatMap((hook) => {
    const name = `sentinel:gateway/${HOOKS[hook].interface}@0.1.0#${HOOKS[hook].function}`;
    return hook !== "configure" ? [name] : [name, `cabi_post_${name}`];
  });
  return [...EVERY, ...names].sort();
}

test("one hook, one export, and what the canonical ABI needs", async () => {
  assert.deepEqual(await exportsOf(guestWith(METHODS.onRequest)), expectedExports("onRequest"));
  assert.deepEqual(await exportsOf(guestWith(METHODS.onComplete)), expectedExports("onComplete"));
});

test("every hook", async () => {
  assert.deepEqual(await exportsOf(guestWith(...Object.values(METHODS))), expectedExports(...Object.keys(METHODS)));
});

test("which hooks are needed is an export of its own", async () => {
  const NEEDED = "neededHooks(): i32 { return 2; }";
  const names = await exportsOf(guestWith(METHODS.onRequest, NEEDED));
  assert.deepEqual(names, [...expectedExports("onRequest"), "sentinel_needed_hooks"].sort());
  await assert.rejects(compileText(guestWith(NEEDED)), /no hook found/);
});

test("the module imports nothing that it does not use, and then the log alone", async () => {
  const { module } = await compileText(guestWith(METHODS.onRequest));
  assert.deepEqual(WebAssembly.Module.imports(new WebAssembly.Module(module)), [
    { module: "sentinel:gateway/log@0.1.0", name: "write", kind: "function" },
  ]);
});

test("functions keep their names for backtraces", async () => {
  const { module } = await compileText(
    guestWith(METHODS.onRequest.replace("return null", "throw new Error(request.path)")),
  );
  const [names] = WebAssembly.Module.customSections(new WebAssembly.Module(module), "name");
  assert.ok(Buffer.from(names).includes("Sample#onRequest"));
});

describe("ways to write a guest", () => {
  const answers401 = async (text) => {
    const guest = await guestOf(text);
    assert.deepEqual(guest.call("onRequest", requestHead({ headers: [] })), pack([1, [[401, [], Buffer.alloc(0)]]]));
    assert.deepEqual(guest.call("onRequest", requestHead({ headers: [["x", "y"]] })), NIL);
  };
  const BODY = '(request: Request): Response | null { return request.headers.has("x") ? null : new Response(401); }';

  test("a function named process", () => answers401(`${IMPORT}export function process${BODY}`));
  test("a method named process", () => answers401(guestWith(`process${BODY}`)));
  test("a class exported by default", () =>
    answers401(guestWith(`onRequest${BODY}`).replace("export class", "export default class")));
  test("a class that inherits its hook", () =>
    answers401(`${IMPORT}abstract class Base extends Guest { onRequest${BODY} }\nexport class Sample extends Base {}`));
  test("Guest under another name", () =>
    answers401(`${IMPORT}import { Guest as Middleware } from "@sentinel-gateway/assemblyscript";
      export class Sample extends Middleware { onRequest${BODY} }`));

  test("functions for several hooks", async () => {
    const guest = await guestOf(`${IMPORT}let status: u16 = 0;
      export function configure(config: Config): string | null { status = <u16>config.int("status"); return config.finish(); }
      export function onResponse(response: IncomingResponse): Response | null { response.setStatus(status); return null; }`);
    assert.equal(guest.configure({ status: 404 }), null);
    assert.deepEqual(guest.call("onResponse", responseHead(), Buffer.alloc(0)), pack([0, [[], 404]]));
  });
});

describe("mistakes", () => {
  const NAMES = "configure, onRequest, onResponse, onComplete, onRequestChunk, onResponseChunk, process";
  for (const [what, text, message] of [
    [
      "a misspelt hook",
      guestWith(METHODS.onRequest, METHODS.onComplete.replace("onComplete", "onCompleted")),
      `index.ts:6: onCompleted is not a hook; the hooks are ${NAMES}`,
    ],
    [
      "a hook of another system",
      guestWith(METHODS.onRequest.replace("onRequest", "onHttpRequestHeaders")),
      `index.ts:5: onHttpRequestHeaders is not a hook; the hooks are ${NAMES}`,
    ],
    [
      "two letters swapped",
      guestWith(METHODS.onRequest, METHODS.configure.replace("configure", "confgiure")),
      `index.ts:6: confgiure is not a hook; the hooks are ${NAMES}`,
    ],
    [
      "other capitals",
      guestWith(METHODS.onRequest.replace("onRequest", "onrequest")),
      `index.ts:5: onrequest is not a hook; the hooks are ${NAMES}`,
    ],
    [
      "no hook",
      guestWith(METHODS.configure),
      `index.ts: no hook found: export a class that extends Guest and has one of ${NAMES} besides configure`,
    ],
    [
      "no guest",
      `${IMPORT}class Sample {}`,
      `index.ts: no hook found: export a class that extends Guest and has one of ${NAMES} besides configure`,
    ],
    [
      "two guests",
      `${guestWith(METHODS.onRequest)}export class Other extends Guest {}`,
      "index.ts: export exactly one class that extends Guest (found: Sample, Other)",
    ],
    [
      "a guest that is not exported",
      guestWith(METHODS.onRequest).replace("export ", ""),
      "index.ts: export exactly one class that extends Guest (found: Sample)",
    ],
    [
      "both names of one hook",
      guestWith(METHODS.onRequest, METHODS.onRequest.replace("onRequest", "process")),
      "index.ts:6: process and onRequest are the same hook; write one of them",
    ],
    [
      "a static hook",
      guestWith(`static ${METHODS.onRequest}`),
      "index.ts:5: the hook onRequest has to be public and not static",
    ],
    [
      "a constructor with parameters",
      guestWith("constructor(x: i32) { super(); }", METHODS.onRequest),
      "index.ts:5: Sample is made without arguments; take what it needs in configure",
    ],
  ]) {
    test(what, () => assert.rejects(compileText(text), { message }));
  }

  test("a hook with the wrong parameter is the compiler's to refuse", () =>
    assert.rejects(
      compileText(guestWith(METHODS.onRequest.replace("request: Request", "request: Summary"))),
      /ERROR TS2394.*index\.ts\(5,1\)/s,
    ));
  test("a header value of the wrong type is refused in words", () =>
    assert.rejects(
      compileText(guestWith(METHODS.onRequest.replace("return null", 'request.headers.set("x", 5); return null'))),
      /expected a string, Bytes, Uint8Array or ArrayBuffer/,
    ));
});
