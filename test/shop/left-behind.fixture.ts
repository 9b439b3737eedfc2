// A test file that fails halfway: its server and its process are left running, and the file does not end them.
import { beforeAll, test } from "@jest/globals";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { writeFileSync } from "node:fs";
import { createServer } from "node:net";

beforeAll(async () => {
  await once(createServer().listen(0), "listening");
  const child = spawn(process.execPath, ["-e", "setInterval(() => {}, 1_000)"], { stdio: "ignore" });
  await once(child, "spawn");
  writeFileSync(process.env["LEFT_BEHIND"]!, `${child.pid}`);
  if (process.env["HANGS"]) await new Promise(() => {});
  throw new Error("in the midst of things");
});

test("never runs", () => {});
