import { afterEach, beforeEach, expect, test } from "@jest/globals";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { declaredVariables, readEnvironment } from "../kernel/index.ts";
import { configurationPage } from "./configuration-page.ts";
import { declaredIn } from "./declared.ts";

let root: string;
beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), "declared-"));
});
afterEach(() => rm(root, { recursive: true, force: true }));

const KERNEL = JSON.stringify(pathToFileURL(join(import.meta.dirname, "../kernel/index.ts")).href);
async function write(file: string, code: string): Promise<void> {
  await mkdir(join(root, file, ".."), { recursive: true });
  await writeFile(join(root, file), `import * as kernel from ${KERNEL};\n${code}\n`);
}
const environmentWith = (variable: string): string =>
  `export const ours = kernel.defineEnvironment("Rooms", { ${variable} });`;

test("a service's variables and failpoints are found by their files, in a packed application too", async () => {
  await write("rooms/environment.ts", environmentWith(`ROOM_COUNT: kernel.integer({ min: 1, max: 9, says: "rooms" })`));
  await write("rooms/failpoints.ts", `export const failpoint = kernel.defineFailpoints("rooms:before-key");`);
  await write("guests/environment.js", environmentWith(`GUEST_NAME: kernel.text({ says: "a name" })`));
  const declared = await declaredIn(root, ["rooms", "guests", "bar"]);
  expect([...declaredVariables(declared).keys()]).toEqual(
    expect.arrayContaining(["PORT", "BAR_DATABASE_URL", "ROOM_COUNT", "GUEST_NAME"]),
  );
  expect(declared.failpoints).toEqual(expect.arrayContaining(["append:after-commit", "rooms:before-key"]));
  readEnvironment({ ROOM_COUNT: "9", FAILPOINTS: "rooms:before-key=kill" }, declared);
  expect(() => readEnvironment({ ROOM_COUNT: "10" }, declared)).toThrow('ROOM_COUNT="10"');
  expect(() => readEnvironment({ GEUST_NAME: "Ada" }, declared)).toThrow("expected another name: GUEST_NAME");
});

test("a service that declares a variable of the runtime says the same of it", async () => {
  await write("rooms/environment.ts", environmentWith(`PORT: kernel.integer({ min: 1, max: 9, says: "a port" })`));
  const declared = await declaredIn(root, ["rooms"]);
  expect(() => readEnvironment({}, declared)).toThrow(
    'PORT is declared twice, not the same: by "The gateway" and by "Rooms"',
  );
});

test("a failpoint is declared once", async () => {
  await write("rooms/failpoints.ts", `export const failpoint = kernel.defineFailpoints("append:after-commit");`);
  await expect(declaredIn(root, ["rooms"])).rejects.toThrow("the failpoint append:after-commit is declared twice");
});

test.each(["environment.ts", "failpoints.ts"])("%s that declares nothing is refused", async file => {
  await write(`rooms/${file}`, "export const nothing = {};");
  await expect(declaredIn(root, ["rooms"])).rejects.toThrow(`rooms/${file} declares nothing`);
});

test("a page keeps what stands outside of its marks, and is made where there is none", async () => {
  await write("rooms/environment.ts", environmentWith(`ROOM_COUNT: kernel.integer({ min: 1, max: 9, says: "a|b" })`));
  const declared = await declaredIn(root, ["rooms"]);
  const fresh = configurationPage("", declared);
  expect(fresh).toContain("| `ROOM_COUNT` | 1 to 9 |  | a\\|b |");
  const page = fresh.replace("# Configuration", "# Ours\n\nOurs.").replace("1 to 9", "2 to 9").concat("Ours again.\n");
  expect(configurationPage(page, declared)).toBe(
    fresh.replace("# Configuration", "# Ours\n\nOurs.").concat("Ours again.\n"),
  );
});
