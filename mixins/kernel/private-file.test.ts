import { chmodSync, mkdirSync, mkdtempSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "@jest/globals";
import { exposedOf, makePrivate } from "./private-file.ts";

let root: string;
let folder: string;
let file: string;
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), "private-"));
  folder = join(root, "data");
  file = join(folder, "accounts.sqlite");
});
afterEach(() => rmSync(root, { recursive: true, force: true }));
const modeOf = (path: string): string => (statSync(path).mode & 0o777).toString(8);

test("missing files are made for this user alone, under any umask", () => {
  const before = process.umask(0);
  try {
    makePrivate(file);
  } finally {
    process.umask(before);
  }
  expect([modeOf(folder), modeOf(file), exposedOf(file)]).toEqual(["700", "600", []]);
});

test("files that others could read are closed to them, and keep their content", () => {
  mkdirSync(folder, { mode: 0o755 });
  for (const path of [file, `${file}-wal`, `${file}-shm`]) {
    writeFileSync(path, "kept");
    chmodSync(path, 0o644);
  }
  chmodSync(folder, 0o755);
  expect(exposedOf(file)).toEqual([folder, file, `${file}-wal`, `${file}-shm`]);
  makePrivate(file);
  expect([modeOf(folder), modeOf(file), modeOf(`${file}-wal`)]).toEqual(["700", "600", "600"]);
  expect(statSync(file).size).toBe(4);
  expect(exposedOf(file)).toEqual([]);
});

test("a folder in which something else lies keeps its mode, and is said to be open", () => {
  mkdirSync(folder);
  chmodSync(folder, 0o755);
  writeFileSync(join(folder, "index.html"), "");
  makePrivate(file);
  expect([modeOf(folder), modeOf(file)]).toEqual(["755", "600"]);
  expect(exposedOf(file)).toEqual([folder]);
});
