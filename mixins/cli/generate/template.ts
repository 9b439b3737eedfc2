// Templates are real code, which the tests compile and run as it stands. A generated file is a template with other names,
// without the regions of what was not asked for (`// #region saga` to `// #endregion`).
import { existsSync, globSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { pathToFileURL } from "node:url";
import { createRequire } from "node:module";
import { UsageError } from "../command.ts";
import { renamed, type Names } from "./names.ts";

export const TEMPLATES = join(import.meta.dirname, "../templates");

/** Text by path below the project. */
export type Files = Map<string, string>;

/** Files of a template, by their paths in it. */
export const filesOf = (template: string): Files =>
  new Map(
    globSync("**/*", { cwd: join(TEMPLATES, template), withFileTypes: true })
      .filter(entry => entry.isFile())
      .map(entry => join(entry.parentPath, entry.name))
      .sort()
      .map(path => [path.slice(join(TEMPLATES, template).length + 1), readFileSync(path, "utf8")]),
  );

/** Without the regions of kinds that are not among these, and without the marks of those that are. */
export function withRegions(text: string, kinds: ReadonlySet<string>): string {
  const kept: string[] = [];
  const open: boolean[] = [];
  for (const line of text.split("\n")) {
    const region = /^\s*(?:\/\/|<!--) #region (\w+)/.exec(line);
    if (region) open.push(kinds.has(region[1]!));
    else if (/^\s*(?:\/\/|<!--) #endregion/.test(line)) open.pop();
    else if (open.every(Boolean)) kept.push(line);
  }
  return kept.join("\n");
}

/** A file of a template for a service of this name. */
export function rendered(path: string, text: string, kinds: ReadonlySet<string>, from: Names, to: Names): string {
  const isCode = /\.(ts|mjs|js)$/.test(path);
  return renamed(withRegions(text, kinds), from, to, isCode);
}

/**
 * Writes files below a folder, all or none: throws UsageError if one is there already. They are formatted as the project
 * formats its own where prettier is installed.
 */
export async function write(folder: string, files: Files): Promise<void> {
  const taken = [...files.keys()].filter(path => existsSync(join(folder, path)));
  if (taken.length > 0) throw new UsageError(`nothing is written: ${taken.join(", ")} is there already`);
  for (const [path, text] of files) {
    const file = join(folder, path);
    mkdirSync(dirname(file), { recursive: true });
    writeFileSync(file, text);
  }
  // Afterwards, since prettier's configuration may be among them.
  const format = await formatter(folder);
  for (const [path, text] of files) {
    const formatted = await format(join(folder, path), text);
    if (formatted !== text) writeFileSync(join(folder, path), formatted);
  }
}

/** Formats a text for a file, as the project's own prettier does; without one it stays as it is. */
export async function formatter(folder: string): Promise<(file: string, text: string) => Promise<string>> {
  const prettier = await prettierOf(folder);
  return async (file, text) => {
    const info = await prettier?.getFileInfo(file);
    if (!prettier || !info?.inferredParser) return text;
    return prettier.format(text, { ...(await prettier.resolveConfig(file)), filepath: file });
  };
}

interface Prettier {
  getFileInfo(file: string): Promise<{ readonly inferredParser: string | null }>;
  resolveConfig(file: string): Promise<object | null>;
  format(text: string, options: object): Promise<string>;
}
async function prettierOf(folder: string): Promise<Prettier | undefined> {
  for (const from of [join(folder, "package.json"), import.meta.filename])
    try {
      const found = (await import(pathToFileURL(createRequire(from).resolve("prettier")).href)) as {
        default: Prettier;
      };
      return found.default;
    } catch {
      // Not installed there.
    }
  return undefined;
}
