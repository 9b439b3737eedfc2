// `valence new app`: a project of its own, which depends on the packed runtime.
import { execFileSync } from "node:child_process";
import { chmodSync, existsSync, mkdirSync, readdirSync } from "node:fs";
import { basename, join, resolve } from "node:path";
import { parseArgs } from "node:util";
import { UsageError } from "./command.ts";
import { namesOf } from "./generate/names.ts";
import { filesOf, write, type Files } from "./generate/template.ts";
import { serviceFiles } from "./new-service.ts";
import { version } from "./version.ts";

export const APP_HELP = `Makes a project in a new folder: broker configuration, gateway, accounts, operations, an example service with actor, saga,
projection, reactor and routes, its tests, .ci/run, Dockerfile, Kubernetes manifests and a README.

  npx valence new app FOLDER

  --runtime SPEC    what npm installs as @valence/runtime. Default: this version from the registry; where the runtime runs
                    from its sources, they are packed into FOLDER/vendor

Then: cd FOLDER && npm install && npm start. The folder must not exist, or be empty.`;

const EXAMPLE = namesOf("proposals");
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
  mkdirSync(folder, { recursive: true });
  const runtime = values.runtime ?? runtimeFor(folder);
  await write(folder, appFiles(name, runtime));
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
    // npm leaves a .gitignore out of packages.
    const target = path.replaceAll(/(^|\/)dot-/g, "$1.");
    files.set(
      target,
      path === "package.json"
        ? manifestOf(text, name, runtime)
        : text.replaceAll(/\bapp\b(?!\.kubernetes)/g, appName(path, name)),
    );
  }
  for (const [path, text] of serviceFiles(
    "services",
    EXAMPLE,
    new Set(["actor", "saga", "projection", "reactor"]),
    true,
  ))
    files.set(path, text);
  const index = "services/api/routes/index.ts";
  files.set(index, withExample(files.get(index)!));
  return files;
}

/** In code the word stays as it is: only what people and clusters read is named. */
const appName = (path: string, name: string): string =>
  /^(README\.md|k8s\/|services\/api\/api)/.test(path) ? name : "app";

function manifestOf(text: string, name: string, runtime: string): string {
  const manifest = JSON.parse(text) as { name: string; dependencies: Record<string, string> };
  manifest.name = name;
  manifest.dependencies["@valence/runtime"] = runtime;
  return `${JSON.stringify(manifest, undefined, 2)}\n`;
}

const withExample = (text: string): string =>
  text
    .replace(/\n\n\/\*\*/, `\nimport { ${EXAMPLE.plural} } from "./${EXAMPLE.plural}.ts";\n\n/**`)
    .replace(/\];/, `, ...${EXAMPLE.plural}];`);

/** What npm installs: the version that runs here, or, of sources that no registry has, an archive in the project. */
function runtimeFor(folder: string): string {
  const isSource = existsSync(join(RUNTIME, "packing.ts"));
  if (!isSource) return version();
  const vendor = join(folder, "vendor");
  mkdirSync(vendor);
  const packed = execFileSync("npm", ["pack", "--json", "--pack-destination", vendor], {
    cwd: RUNTIME,
    encoding: "utf8",
    stdio: ["ignore", "pipe", "inherit"],
  });
  // npm's own lines about the scripts of the package come first.
  const [{ filename }] = JSON.parse(packed.slice(packed.indexOf("["))) as [{ filename: string }];
  return `file:vendor/${filename}`;
}
