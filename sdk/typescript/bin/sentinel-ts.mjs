#!/usr/bin/env node
// sentinel-ts build FOLDER OUT | test FOLDER: the commands that `sentinel build` and
// `sentinel test` call.
import { GuestError } from "../lib/errors.mjs";

const USAGE = "usage: sentinel-ts build FOLDER OUT | sentinel-ts test FOLDER";
const [command, folder, out] = process.argv.slice(2);
try {
  if (command === "build" && folder && out) {
    const { build } = await import("../lib/build.mjs");
    await build(folder, out);
  } else if (command === "test" && folder) {
    const { test } = await import("../lib/test.mjs");
    process.exitCode = await test(folder);
  } else {
    console.error(USAGE);
    process.exitCode = 2;
  }
} catch (error) {
  if (!(error instanceof GuestError)) throw error;
  console.error(error.message);
  process.exitCode = 1;
}
