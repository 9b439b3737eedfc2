// node test/shop/browser/run.ts [--screenshots FOLDER] [options of jest]
//
// Looks at every screen in a real browser: the whole of what the ordinary run looks at in parts. With a folder it leaves a picture of
// each screen there, so that a change can be seen.
import { spawnSync } from "node:child_process";
import { resolve } from "node:path";

const args = process.argv.slice(2);
const at = args.indexOf("--screenshots");
const folder = at < 0 ? undefined : args[at + 1];
if (at >= 0 && folder === undefined) throw new Error("--screenshots needs a folder");
const rest = at < 0 ? args : args.toSpliced(at, 2);

const { status } = spawnSync(
  process.execPath,
  ["mixins/testing/jest/run.ts", "--only=int", "test/shop/browser/", ...rest],
  {
    stdio: "inherit",
    env: { ...process.env, BROWSER: "all", ...(folder !== undefined && { SCREENSHOTS: resolve(folder) }) },
  },
);
process.exitCode = status ?? 1;
