import { expect, test } from "@jest/globals";
import { readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { TEMPLATES, withRegions } from "./template.ts";

const text = `a
  // #region saga
  b
  // #region route
  c
  // #endregion
  // #endregion
<!-- #region crud -->
d
<!-- #endregion -->
e`;

test.each([
  [[], "a\ne"],
  [["saga"], "a\n  b\ne"],
  [["route"], "a\ne"],
  [["saga", "route", "crud"], "a\n  b\n  c\nd\ne"],
])("with %j", (kinds, kept) => expect(withRegions(text, new Set(kinds))).toBe(kept));

test("a new app has the versions that the runtime is tested with", () => {
  const versionsIn = (path: string): Record<string, string> => {
    const manifest = JSON.parse(readFileSync(resolve(import.meta.dirname, path), "utf8")) as Manifest;
    return { ...manifest.dependencies, ...manifest.devDependencies };
  };
  const tested = { ...versionsIn("../../package.json"), ...versionsIn("../../../package.json") };
  const { "@valence/runtime": _chosen, ...others } = versionsIn(join(TEMPLATES, "app/package.json"));
  for (const [name, version] of Object.entries(others)) expect([name, version]).toEqual([name, tested[name]]);
});
interface Manifest {
  readonly dependencies: Record<string, string>;
  readonly devDependencies: Record<string, string>;
}
