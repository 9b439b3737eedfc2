// The catalogues of errors: the runtime's, and those of the services of a folder. A catalogue is what an `errors.ts` exports;
// the comment that opens the file introduces it. They are pure values, so that a process can read those of services that run
// elsewhere.
import { globSync, readFileSync } from "node:fs";
import { dirname, join, sep } from "node:path";
import { pathToFileURL } from "node:url";
import type { AnyErrors } from "../../kernel/index.ts";

export interface Catalogue {
  /** `loans`, `actor`; empty for what all services share. */
  readonly owner: string;
  readonly isRuntime: boolean;
  /** The subject of the errors, from the comment that opens the file. */
  readonly about: string;
  readonly errors: AnyErrors;
}

/** The catalogues of the runtime, and of the services below a folder, by the name of their owner. */
export async function cataloguesOf(services: string): Promise<Catalogue[]> {
  const runtime = join(import.meta.dirname, "../..");
  const found = await Promise.all([
    ...globSync("*/errors.{ts,js}", { cwd: runtime }).map(path => catalogueIn(runtime, path, true)),
    ...globSync("{,*/}errors.{ts,js}", { cwd: services }).map(path => catalogueIn(services, path, false)),
  ]);
  return found.flat().sort((a, b) => (a.owner < b.owner ? -1 : 1));
}

async function catalogueIn(root: string, path: string, isRuntime: boolean): Promise<Catalogue[]> {
  const file = join(root, path);
  const exported = Object.values((await import(pathToFileURL(file).href)) as Record<string, unknown>);
  const errors = Object.assign({}, ...exported.filter(isCatalogue)) as AnyErrors;
  if (Object.keys(errors).length === 0) return [];
  const [, about = ""] = /^\/\/ ([^]*?)\n(?!\/\/)/.exec(readFileSync(file, "utf8")) ?? [];
  const folder = dirname(path).split(sep)[0]!;
  const owner = folder === "." ? "" : folder;
  return [{ owner, isRuntime, about: about.replaceAll("\n// ", " "), errors }];
}

const isCatalogue = (value: unknown): boolean =>
  typeof value === "object" &&
  value !== null &&
  Object.values(value).length > 0 &&
  Object.values(value).every(factory => typeof factory === "function" && "definition" in factory);
