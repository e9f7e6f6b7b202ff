import assert from "node:assert/strict";
import { before, test } from "node:test";
import { fileURLToPath } from "node:url";

import { Harness } from "@sentinel-gateway/assemblyscript/testing";

const DAY = 24 * 60 * 60 * 1000;
const ann = { headers: [["x-principal", "ann"]] };
let module;

before(async () => {
  module = await Harness.compile(fileURLToPath(new URL("..", import.meta.url)));
});

test("a principal has a quota of its own", () => {
  const harness = new Harness(module, { config: { limit: 1 } });
  assert.equal(harness.onRequest(ann).response, null);
  assert.equal(harness.onResponse().header("x-quota-remaining"), "0");
  assert.equal(harness.onRequest({ client: "192.0.2.7" }).response, null);
  assert.equal(harness.onRequest(ann).response.status, 429);
  assert.deepEqual(
    harness.calls().map(([name, key]) => [name, key]),
    [
      ["kv.add", "principal ann"],
      ["kv.add", "client 192.0.2.7"],
      ["kv.add", "principal ann"],
      ["metrics.add", "quota_refused"],
    ],
  );
});

test("what it counts is described", () => {
  const harness = new Harness(module, { config: { limit: 1 } });
  assert.deepEqual(harness.descriptions(), [
    ["quota_refused", "counter", "Requests beyond a principal's daily quota.", "", []],
  ]);
});

test("the count begins anew after a day", () => {
  const harness = new Harness(module, { config: { limit: 1 } });
  const statuses = [0, DAY - 1, 1].map((milliseconds) => {
    harness.advanceClock(milliseconds);
    return harness.onRequest(ann).response?.status ?? 200;
  });
  assert.deepEqual(statuses, [200, 429, 200]);
});

test("who cannot be counted is not let through", () => {
  const harness = new Harness(module, { config: { limit: 1 } });
  harness.failKv("full");
  assert.equal(harness.onRequest(ann).response.status, 503);
  assert.deepEqual(harness.logs(), [["error", "cannot count: the quota is used up"]]);
});
