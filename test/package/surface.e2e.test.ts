import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { spawnSync } from "node:child_process";
import { existsSync, globSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { build, packedManifest, readManifest } from "../../mixins/packing.ts";
import { REPORTS, reportOf, surfaceOf } from "./surface.ts";

/** UPDATE_SURFACE=1 npm run test:int -- test/package writes the reports. */
const update = process.env["UPDATE_SURFACE"] === "1";
const doors = Object.entries((packedManifest(readManifest(), ".") as Packed).exports).flatMap(([door, target]) =>
  typeof target === "string" ? [] : [{ door, ...target }],
);
interface Packed {
  readonly exports: Record<string, string | { types: string; default: string }>;
}

let built: string;
let differs: ReturnType<typeof surfaceOf>;
beforeAll(() => {
  // Below the runtime: the declarations name its dependencies.
  built = mkdtempSync(join(import.meta.dirname, "../../mixins/.build-"));
  build(built, { checksTypes: false });
  differs = surfaceOf(doors, built, join(built, "reports"));
});
afterAll(() => rmSync(built, { recursive: true, force: true }));

test.each(doors)("the surface of $door is the one that was reported", entry => {
  const { door } = entry;
  if (differs(entry, update) && !update)
    throw new Error(
      `what ${door} exports has changed: UPDATE_SURFACE=1 npm run test:int -- test/package writes mixins/api/${reportOf(door)}. ` +
        "A name that is gone or takes something else is a new major version; say it in CHANGELOG.md",
    );
});

test("every report belongs to a door", () => {
  const reports = globSync("*.api.md", { cwd: REPORTS }).sort();
  expect(reports).toEqual(doors.map(({ door }) => reportOf(door)).sort());
});

test("every door is there, as JavaScript with declarations and a source map that carries its source", () => {
  for (const { types, default: code } of doors) {
    for (const file of [types, code, `${code}.map`])
      expect([file, existsSync(join(built, file))]).toEqual([file, true]);
    const { sourcesContent } = JSON.parse(readFileSync(join(built, `${code}.map`), "utf8")) as SourceMap;
    expect(sourcesContent).toHaveLength(1);
  }
  const left = globSync("**/*.{ts,js,mjs}", { cwd: built, exclude: path => path === "cli/templates" })
    .filter(file => !file.startsWith(join("cli", "templates")))
    .filter(file =>
      /^\s*(import|export)\b[^;]*?"\.[^"$]*\.ts"|new URL\("\.[^"]*\.ts"/m.test(readFileSync(join(built, file), "utf8")),
    );
  expect(left).toEqual([]);
});
interface SourceMap {
  readonly sourcesContent: readonly string[];
}

test.each(["stream/siblings", "event-store/siblings", "actor/activation", "kernel/index.ts"])(
  "Node refuses %s to everybody outside of the runtime",
  room => {
    const code = `import("@valence/runtime/${room}").catch(error => console.log(error.code))`;
    const { stdout } = spawnSync(process.execPath, ["--input-type=module", "-e", code], {
      cwd: join(import.meta.dirname, "../.."),
      encoding: "utf8",
    });
    expect(stdout).toBe("ERR_PACKAGE_PATH_NOT_EXPORTED\n");
  },
);
