// What `npm pack` and `npm publish` send of the runtime: JavaScript with declarations and source maps in `dist`, since Node
// strips no types below `node_modules`, and a manifest whose doors lead there.
//
//   1. prepack compiles, and puts the packed manifest in place of ours, which it keeps beside it.
//   2. npm makes the archive.
//   3. postpack puts our manifest back and removes `dist`.
//
// If npm is killed between 1 and 3, the next prepack puts the manifest back first; `node packing.ts postpack` does it by hand.
import { execFileSync } from "node:child_process";
import { cpSync, existsSync, globSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join, relative } from "node:path";

const ROOT = import.meta.dirname;
const OUTPUT = "dist";

export interface Manifest {
  readonly version: string;
  readonly exports: Readonly<Record<string, string>>;
  readonly bin?: Readonly<Record<string, string>>;
  readonly scripts?: Readonly<Record<string, string>>;
}

/** Files that are not compiled but belong to the package: plain JavaScript, data, Kafka's pom, and the generators' templates as they are. */
const COPIED = ["**/*.{mjs,json,sql,xml}", "cli/templates/**/*"];
const NOT_COPIED = ["package.json", "package.source.json", "tsconfig.build.json"];

/**
 * Compiles the runtime into `folder`, which is made anew. Throws with the compiler's messages if it does not compile. Where its
 * types have been checked before, it takes half the time without: what is written is the same.
 */
export function build(folder: string, { checksTypes = true } = {}): void {
  rmSync(folder, { recursive: true, force: true });
  const options = checksTypes ? [] : ["--noCheck"];
  try {
    execFileSync("tsc", ["-p", join(ROOT, "tsconfig.build.json"), ...options, "--outDir", folder], {
      encoding: "utf8",
      stdio: "pipe",
    });
  } catch (error) {
    throw new Error(`the runtime does not compile:\n${(error as { stdout?: string }).stdout}`, { cause: error });
  }
  for (const file of globSync("**/*.d.ts", { cwd: folder })) rewrite(join(folder, file), withJsImports);
  for (const file of globSync("**/*.js", { cwd: folder })) rewrite(join(folder, file), withJsWorkers);
  const isOutput = (path: string): boolean => /^(dist|node_modules|\.build-\w+)$/.test(path);
  for (const file of globSync(COPIED, { cwd: ROOT, exclude: isOutput })) {
    if (NOT_COPIED.includes(file) || isTestOnly(file)) continue;
    const target = join(folder, file);
    mkdirSync(dirname(target), { recursive: true });
    cpSync(join(ROOT, file), target, { recursive: true });
    if (file.endsWith(".mjs") && !file.startsWith("cli/templates/")) rewrite(target, withJsImports);
  }
}

const isTestOnly = (file: string): boolean =>
  !file.startsWith("cli/templates/") && /\.(test|fixture|conformance)\.\w+$/.test(file);

/** The compiler rewrites the imports of code, but neither those of declarations and plain JavaScript nor files of workers. */
export const withJsImports = (text: string): string =>
  text.replaceAll(/((?:from|import)\s*\(?\s*)"(\.[^"]+)\.ts"/g, '$1"$2.js"');
const withJsWorkers = (text: string): string => text.replaceAll(/(new Worker\(new URL\()"(\.[^"]+)\.ts"/g, '$1"$2.js"');

function rewrite(file: string, change: (text: string) => string): void {
  writeFileSync(file, change(readFileSync(file, "utf8")));
}

/** The manifest of the package: each door leads to its JavaScript and its declarations below `output`. */
export function packedManifest(manifest: Manifest, output = OUTPUT): object {
  const { scripts: _scripts, ...kept } = manifest;
  const doors = Object.entries(manifest.exports).map(([name, file]) => {
    if (!file.endsWith(".ts")) return [name, name === "./package.json" ? file : inside(output, file)];
    const path = inside(output, file).slice(0, -".ts".length);
    return [name, { types: `${path}.d.ts`, default: `${path}.js` }];
  });
  const commands = Object.entries(manifest.bin ?? {}).map(([name, file]) => [
    name,
    inside(output, file).replace(/\.ts$/, ".js"),
  ]);
  return {
    ...kept,
    exports: Object.fromEntries(doors),
    ...(commands.length > 0 && { bin: Object.fromEntries(commands) }),
  };
}
const inside = (output: string, file: string): string => `./${join(output, relative(".", file))}`;

export const manifestIn = (root: string): Manifest => JSON.parse(readFileSync(join(root, "package.json"), "utf8"));
export const readManifest = (): Manifest => manifestIn(ROOT);

/** A step of packing the package in `root`, as npm asks for it. `build` fills the folder that its packed manifest leads to. */
export function packingStep(step: string | undefined, root: string, build: (folder: string) => void): void {
  const [manifest, kept, output] = ["package.json", "package.source.json", OUTPUT].map(name => join(root, name)) as [
    string,
    string,
    string,
  ];
  const postpack = (): void => {
    if (existsSync(kept)) renameSync(kept, manifest);
    rmSync(output, { recursive: true, force: true });
  };
  if (step === "postpack") return postpack();
  if (step !== "prepack") {
    console.error("usage: node packing.ts prepack|postpack, as npm pack and npm publish call it");
    process.exitCode = 2;
    return;
  }
  if (existsSync(kept)) postpack();
  build(output);
  const packed = packedManifest(manifestIn(root));
  renameSync(manifest, kept);
  writeFileSync(manifest, `${JSON.stringify(packed, undefined, 2)}\n`);
}

if (process.argv[1] === import.meta.filename) packingStep(process.argv[2], ROOT, folder => build(folder));
