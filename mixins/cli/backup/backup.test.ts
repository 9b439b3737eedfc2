import { afterEach, beforeEach, describe, expect, test } from "@jest/globals";
import { once } from "node:events";
import {
  chmodSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { Worker } from "node:worker_threads";
import { ARM, whyNotWhole } from "../../database/index.ts";
import { measured, readManifest, verify, writeManifest, type Manifest, type Part } from "./manifest.ts";
import { copyTo, cutOf } from "./sqlite-backup.ts";
import { putInPlace, type Target } from "./sqlite-restore.ts";

let folder: string;
beforeEach(() => void (folder = mkdtempSync(join(tmpdir(), "backup-"))));
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const NAMES = ["a", "b"];
const placeOf = (name: string): string => join(folder, `${name}.sqlite`);

/** Writes to one file after the other, each time because of what it has written to the other one. */
const WRITER = `
  const { DatabaseSync } = require("node:sqlite");
  const { parentPort, workerData } = require("node:worker_threads");
  const files = workerData.places.map(file => new DatabaseSync(file, { timeout: 5_000 }));
  setImmediate(() => {
    while (!Atomics.load(workerData.isOver, 0))
      for (const file of files) file.exec("update counters set value = value + 1");
    for (const file of files) file.close();
  });
  parentPort.postMessage("writing");`;

/** A file with pages enough that a copy takes several steps. */
function make(name: string): string {
  const database = new DatabaseSync(placeOf(name));
  database.exec(`pragma journal_mode = wal; create table counters (value integer);
    insert into counters values (0); create table filling (bytes blob);
    insert into filling select randomblob(100000) from (values (1),(2),(3),(4),(5),(6),(7),(8),(9),(10))`);
  database.close();
  return placeOf(name);
}
const valueOf = (file: string): number => {
  const database = new DatabaseSync(file, { readOnly: true });
  try {
    return Number(database.prepare("select value from counters").get()!["value"]);
  } finally {
    database.close();
  }
};

test("the copies are of one moment, whichever file is copied first, while a process writes to both in turn", async () => {
  const files = new Map(NAMES.map(name => [name, make(name)]));
  const isOver = new Int32Array(new SharedArrayBuffer(4));
  const writer = new Worker(WRITER, { eval: true, workerData: { places: [...files.values()], isOver } });
  await once(writer, "message");
  try {
    for (const order of [NAMES, NAMES.toReversed(), NAMES]) {
      const cut = await cutOf(new Map(order.map(name => [name, files.get(name)!])));
      for (const name of order) {
        rmSync(placeOf(`${name}-copy`), { force: true });
        await copyTo(placeOf(`${name}-copy`), cut.readers.get(name)!, () => {});
      }
      cut.close();
      const [a, b] = NAMES.map(name => valueOf(placeOf(`${name}-copy`))) as [number, number];
      expect([0, 1]).toContain(a - b);
    }
  } finally {
    Atomics.store(isOver, 0, 1);
    await once(writer, "exit");
  }
});

test("a file whose start is between the two steps of its mark gives a copy that is no torn one", async () => {
  const file = make("a");
  const database = new DatabaseSync(file);
  database.exec(ARM);
  const cut = await cutOf(new Map([["a", file]]));
  await copyTo(placeOf("copy"), cut.readers.get("a")!, () => {});
  cut.close();
  database.close();
  const copy = new DatabaseSync(placeOf("copy"));
  expect(copy.prepare("select armed - seen as missing from file_state").get()).toEqual({ missing: 0 });
  copy.close();
});

test("a file that is no database is named", async () => {
  writeFileSync(placeOf("a"), "x".repeat(4_096));
  await expect(cutOf(new Map([["a", placeOf("a")]]))).rejects.toThrow(`${placeOf("a")}: file is not a database`);
});

async function complete(): Promise<Manifest> {
  writeFileSync(join(folder, "loans.sqlite"), "some events");
  const part = { name: "loans", kind: "sqlite" as const, shard: 0, file: "loans.sqlite" };
  const manifest = {
    runtime: "1.0.0",
    at: "2026-01-01T00:00:00.000Z",
    parts: [{ ...part, ...(await measured(join(folder, "loans.sqlite"))), positions: { checkpoints: [] } }],
  };
  writeManifest(folder, manifest);
  return manifest;
}
const refusal = async (): Promise<unknown> => {
  try {
    for (const part of readManifest(folder).parts) await verify(folder, part);
    return undefined;
  } catch (error) {
    return (error as Error).message;
  }
};

test("a complete backup is read as it was written", async () => {
  const manifest = await complete();
  expect(readManifest(folder)).toEqual(manifest);
  expect(await refusal()).toBe(undefined);
});

test.each([
  ["without its manifest", () => rmSync(join(folder, "manifest.json")), /no backup, or one that was cut off/],
  ["with half of its manifest", () => truncateSync(join(folder, "manifest.json"), 100), /manifest\.json was cut off/],
  ["with a manifest that was changed", () => edit("manifest.json", "loans", "others"), /manifest\.json was changed/],
  ["of a later format", () => edit("manifest.json", '"format": 1', '"format": 2'), /of format 2, but .* reads 1/],
  ["without a file", () => rmSync(join(folder, "loans.sqlite")), /loans\.sqlite is missing/],
  ["with a file that was cut off", () => truncateSync(join(folder, "loans.sqlite"), 4), /4 bytes in place of 11/],
  ["with a file that was changed", () => edit("loans.sqlite", "some", "more"), /loans\.sqlite was changed/],
])("a backup %s is refused", async (...[, damage, expected]) => {
  await complete();
  damage();
  expect(await refusal()).toMatch(expected);
});

test.each<[string, (part: Part) => unknown, RegExp]>([
  ["leads out of the folder", part => ({ parts: [{ ...part, file: "../loans.sqlite" }] }), /parts\.0\.file/],
  ["has no parts", () => ({ parts: null }), /no manifest of a backup: parts/],
  ["is empty", () => ({ parts: [] }), /no manifest of a backup: parts/],
  ["names a file twice", part => ({ parts: [part, part] }), /names a file twice/],
])("a manifest with a checksum of its own that %s is refused", async (...[, change, expected]) => {
  const manifest = await complete();
  writeManifest(folder, { ...manifest, ...(change(manifest.parts[0]!) as Manifest) });
  expect(() => readManifest(folder)).toThrow(expected);
});

test("a manifest that is JSON and no object is one of no format", async () => {
  await complete();
  writeFileSync(join(folder, "manifest.json"), "null");
  expect(() => readManifest(folder)).toThrow("of format undefined");
});

test("a copy is never readable for others, in a folder that they can read", async () => {
  chmodSync(folder, 0o755);
  const path = placeOf("copy");
  const place = make("a");
  const database = new DatabaseSync(place);
  // More than one step.
  database.exec("insert into filling select randomblob(1000000) from filling");
  database.close();
  const cut = await cutOf(new Map([["a", place]]));
  let mode = 0;
  await copyTo(path, cut.readers.get("a")!, () => (mode ||= statSync(path).mode & 0o777));
  cut.close();
  expect([mode, statSync(path).mode & 0o777]).toEqual([0o600, 0o600]);
});

describe("a restore", () => {
  const part = (name: string, file = name): Part => ({
    name,
    kind: "sqlite",
    shard: 0,
    file,
    bytes: 1,
    sha256: "",
    positions: { checkpoints: [] },
  });
  const target = (name: string, file?: string): Target => ({
    part: part(name, file),
    place: placeOf(name),
    isTaken: true,
  });

  test("that cannot copy every file leaves what was there, and nothing of its own", () => {
    const before = readFileSync(make("a"));
    writeFileSync(join(folder, "new"), "new");
    expect(() => putInPlace(folder, [target("a", "new"), target("b", "missing")], "-kept")).toThrow(
      /^nothing was restored: ENOENT/,
    );
    expect(readFileSync(placeOf("a"))).toEqual(before);
    expect(readdirSync(folder).filter(name => /restoring|kept/.test(name))).toEqual([]);
  });

  test("that is cut off is refused by a start, until it is made again", () => {
    for (const name of NAMES) make(name);
    writeFileSync(join(folder, "new"), "new");
    // A folder in the way of the second file's place: the process ends between the two.
    mkdirSync(`${placeOf("b")}-kept`);
    writeFileSync(join(`${placeOf("b")}-kept`, "x"), "");
    const targets = NAMES.map(name => target(name, "new"));
    expect(() => putInPlace(folder, targets, "-kept")).toThrow();
    expect(NAMES.map(name => whyNotWhole(placeOf(name))?.replace(/^.*sqlite was/, ""))).toEqual([
      undefined,
      expect.stringMatching(/^ cut off: .*Run it again with --replace/),
    ]);
    putInPlace(folder, targets, "-kept-2");
    expect(NAMES.map(name => whyNotWhole(placeOf(name)))).toEqual([undefined, undefined]);
    expect(readFileSync(placeOf("b"), "utf8")).toBe("new");
  });
});

function edit(file: string, from: string, to: string): void {
  const text = readFileSync(join(folder, file), "utf8");
  expect(text).toContain(from);
  writeFileSync(join(folder, file), text.replace(from, to));
}
