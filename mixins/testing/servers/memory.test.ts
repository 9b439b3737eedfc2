import { afterEach, beforeEach, expect, test } from "@jest/globals";
import { mkdirSync, mkdtempSync, readdirSync, rmSync, utimesSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { removeLeft } from "./memory.ts";

let folder: string;
beforeEach(() => void (folder = mkdtempSync(join(tmpdir(), "memory-"))));
afterEach(() => rmSync(folder, { recursive: true, force: true }));

/** The folder of a server, made so many minutes ago, with the id of its process. */
function server(name: string, minutes: number, pid?: number): void {
  mkdirSync(join(folder, name, "data"), { recursive: true });
  if (pid !== undefined) writeFileSync(join(folder, name, "data/postmaster.pid"), `${pid}\n/data\n`);
  const then = new Date(Date.now() - minutes * 60_000);
  utimesSync(join(folder, name), then, then);
}

test("what a killed run has left in memory is removed; a server that runs or is being made, and files of others, stay", () => {
  server("postgres-killed", 60, 2 ** 22 + 1);
  server("postgres-halted", 60);
  server("postgres-served", 60, process.pid);
  server("postgres-making", 1);
  server("something-else", 60);
  removeLeft(folder);
  expect(readdirSync(folder).sort()).toEqual(["postgres-making", "postgres-served", "something-else"]);
});
