import { afterEach, beforeEach, expect, jest, test } from "@jest/globals";
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { command } from "./events.ts";

const CONTRACT = pathToFileURL(join(import.meta.dirname, "../contract/index.ts")).href;
let folder: string;
let lines: string[];
const given = process.env["SERVICEDIR"];
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "events-"));
  lines = [];
  // A file before this one in the same process may have left its own.
  process.exitCode = undefined;
  for (const method of ["log", "error"] as const)
    jest.spyOn(console, method).mockImplementation((line: unknown) => void lines.push(String(line)));
});
afterEach(() => {
  jest.restoreAllMocks();
  rmSync(folder, { recursive: true });
  if (given === undefined) delete process.env["SERVICEDIR"];
  else process.env["SERVICEDIR"] = given;
  process.exitCode = undefined;
});

/** The services of a release: bookings, with these fields in its event. A module is loaded once, so that each has a folder. */
function release(name: string, fields: string, version = 1): string {
  const home = join(folder, name, "bookings");
  mkdirSync(home, { recursive: true });
  writeFileSync(join(home, "bookings.service.ts"), "export default {};\n");
  writeFileSync(
    join(home, "contract.ts"),
    `import { defineContract } from "${CONTRACT}";
export const contract = defineContract({
  service: "bookings",
  events: { "booking.held": { ${fields} } },
  versions: { "booking.held": ${version} },
});
`,
  );
  return home;
}
const run = async (name: string, ...args: string[]): Promise<string> => {
  process.env["SERVICEDIR"] = join(folder, name);
  lines = [];
  await command.run(args);
  return lines.join("\n");
};

test("a shape is released once; a release that changes it fails the check, and one with a new version does not", async () => {
  const first = release("r1", 'room: { type: "string" }, guests: { type: "integer" }');
  expect(await run("r1", "--check")).toBe(
    "bookings: booking.held v1 is not released: npx valence events --release writes it\nevery event keeps its released shape",
  );
  expect(await run("r1", "--release")).toContain("events.json: booking.held v1\n1 released: commit them");
  expect(await run("r1", "--release")).toBe("every shape is released already");
  expect(await run("r1", "--check")).toBe("every event keeps its released shape");
  expect(process.exitCode).toBeUndefined();

  const changed = release("r2", 'room: { type: "string" }, guests: { type: "integer", minimum: 1 }');
  cpSync(join(first, "events.json"), join(changed, "events.json"));
  expect(await run("r2", "--check")).toContain(
    "bookings: booking.held v1, guests, backward: minimum is 1, released as none\n\nGive the event a new version",
  );
  expect(process.exitCode).toBe(1);
  await expect(run("r2", "--release")).rejects.toThrow("bookings: booking.held v1, guests, backward");
  expect(readFileSync(join(changed, "events.json"))).toEqual(readFileSync(join(first, "events.json")));

  const lifted = release("r3", 'room: { type: "string" }, guests: { type: "integer", minimum: 1 }', 2);
  cpSync(join(first, "events.json"), join(lifted, "events.json"));
  expect(await run("r3", "--release")).toContain("booking.held v2");
  expect(Object.keys(JSON.parse(readFileSync(join(lifted, "events.json"), "utf8"))["booking.held"])).toEqual([
    "1",
    "2",
  ]);
});

test("two of its options at once, or two events, are a mistake", async () => {
  await expect(run("r1", "--check", "--release")).rejects.toThrow("name one of the two");
  await expect(run("r1", "a.b", "c.d")).rejects.toThrow("name one event");
});
