import { existsSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";

/** Version of the runtime: of the nearest package.json above this file, in the sources and in the package alike. */
export function version(): string {
  let folder = import.meta.dirname;
  while (!existsSync(join(folder, "package.json"))) folder = dirname(folder);
  return (JSON.parse(readFileSync(join(folder, "package.json"), "utf8")) as { version: string }).version;
}
