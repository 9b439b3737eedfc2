// `valence new app`: a project of its own, which depends on the packed runtime.
import { execFileSync } from "node:child_process";
import { chmodSync, cpSync, existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, dirname, join, resolve } from "node:path";
import { parseArgs } from "node:util";
import { UsageError } from "./command.ts";
import { namesOf } from "./generate/names.ts";
import { filesOf, rendered, write, type Files } from "./generate/template.ts";
import { serviceFiles, THINGS, type Kind } from "./new-service.ts";
import { version } from "../kernel/index.ts";

export const APP_HELP = `Makes a project in a new folder: broker configuration, gateway, accounts, operations, an example service with actor, saga,
projection, reactor and routes, its tests, .ci/run, Dockerfile, Kubernetes manifests and a README.

  npx valence new app FOLDER

  --runtime SPEC    what npm installs as @valence/runtime. Default: this version from the registry; where the runtime runs
                    from its sources, they are packed into FOLDER/vendor

Then: cd FOLDER && npm install && npm start. The folder must not exist, or be empty.`;

/** The example service, with everything that an actor may have beside it. */
const EXAMPLE = namesOf("proposals");
const KINDS: ReadonlySet<Kind> = new Set(["actor", "saga", "projection", "reactor"]);
const NAME = /^[a-z][a-z0-9]*(-[a-z0-9]+)*$/;
/** The package's folder: of the sources, or `dist` of the installed one. */
const RUNTIME = resolve(import.meta.dirname, "..");

export async function newApp(args: string[]): Promise<void> {
  const { values, positionals } = parseArgs({
    args,
    allowPositionals: true,
    options: { runtime: { type: "string" } },
  });
  const [given, ...more] = positionals;
  if (given === undefined || more.length > 0) throw new UsageError(`name one folder\n\n${APP_HELP}`);
  const folder = resolve(given);
  const name = basename(folder);
  if (!NAME.test(name))
    throw new UsageError(
      `"${name}": the project is named like its folder, in small letters, digits and single hyphens`,
    );
  if (existsSync(folder) && readdirSync(folder).length > 0)
    throw new UsageError(`nothing is written: ${folder} is there already, and is not empty`);
  const packed = values.runtime === undefined && isSource() ? pack() : undefined;
  const runtime = values.runtime ?? (packed ? `file:vendor/${basename(packed)}` : version());
  mkdirSync(folder, { recursive: true });
  await write(folder, appFiles(name, runtime));
  if (packed) {
    mkdirSync(join(folder, "vendor"));
    cpSync(packed, join(folder, "vendor", basename(packed)));
    rmSync(dirname(packed), { recursive: true });
  }
  chmodSync(join(folder, ".ci/run"), 0o755);
  console.log(`wrote ${folder}

Next:
  cd ${given}
  npm install
  npm start      then follow README.md
  npm test`);
}

/** The files of an application by path. */
export function appFiles(name: string, runtime: string): Files {
  const files: Files = new Map();
  for (const [path, text] of filesOf("app")) {
    if (/^services\/(things|records)\//.test(path) || /^services\/api\/routes\/(things|records)\.ts$/.test(path))
      continue;
    // npm leaves a .gitignore out of packages.
    const target = path.replaceAll(/(^|\/)dot-/g, "$1.");
    if (path === "package.json") files.set(target, manifestOf(text, name, runtime));
    else files.set(target, named(path, rendered(path, text, KINDS, THINGS, EXAMPLE), name));
  }
  for (const [path, text] of serviceFiles("services", EXAMPLE, KINDS, true)) files.set(path, text);
  return files;
}

/** In code the word `app` stays as it is: people and clusters read the project's name. */
const named = (path: string, text: string, name: string): string =>
  /^(README\.md|k8s\/|services\/api\/api\.service)/.test(path)
    ? text.replaceAll(/\bapp\b(?!\.(?:kubernetes|yaml))/g, name)
    : text;

function manifestOf(text: string, name: string, runtime: string): string {
  const manifest = JSON.parse(text) as { name: string; dependencies: Record<string, string> };
  manifest.name = name;
  manifest.dependencies["@valence/runtime"] = runtime;
  return `${JSON.stringify(manifest, undefined, 2)}\n`;
}

/** Whether the runtime runs from its sources, which no registry has. */
const isSource = (): boolean => existsSync(join(RUNTIME, "packing.ts"));

/** Packs the sources; answers the archive, in a temporary folder of its own. */
function pack(): string {
  const folder = mkdtempSync(join(tmpdir(), "valence-pack-"));
  const output = execFileSync("npm", ["pack", "--json", "--pack-destination", folder], {
    cwd: RUNTIME,
    encoding: "utf8",
    stdio: ["ignore", "pipe", "pipe"],
  });
  // The lines of the package's own scripts come first.
  const [{ filename }] = JSON.parse(output.slice(output.indexOf("["))) as [{ filename: string }];
  return join(folder, filename);
}
