// node deploy/contract-package.ts <service> <folder> [--scope @acme] [--version 1.0.0] makes the package of a service's contract, for
// teams whose code is not in this repository: what they call and hear of, with its types, and released events as samples.
import { execFileSync } from "node:child_process";
import { cpSync, existsSync, globSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { withJsImports } from "../mixins/packing.ts";
import { script } from "./run.ts";

const ROOT = join(import.meta.dirname, "..");

export interface PackageOptions {
  /** Default `@acme`. */
  readonly scope?: string | undefined;
  /** Default `1.0.0`. */
  readonly version?: string | undefined;
}

/**
 * Compiles the contract, and what it imports, into a new folder, and answers the package's name. Only files beside the contract and
 * what services share go into it.
 * @throws Error when there is no such contract, it does not compile, or it imports another service's files.
 */
export function contractPackage(
  service: string,
  folder: string,
  { scope = "@acme", version = "1.0.0" }: PackageOptions = {},
): string {
  const source = join(ROOT, "services", service, "contract.ts");
  if (!/^[\w-]+$/.test(service) || !existsSync(source)) throw new Error(`services/${service}/contract.ts is not there`);
  if (!/^@[a-z\d][\w.-]*$/.test(scope)) throw new Error(`--scope ${scope}: not a scope of npm, such as @acme`);
  if (!/^\d+\.\d+\.\d+(-[\w.]+)?$/.test(version)) throw new Error(`--version ${version}: not a version, such as 1.2.3`);
  if (existsSync(folder)) throw new Error(`${folder} is there already`);
  const name = `${scope}/${service}-contract`;
  mkdirSync(folder, { recursive: true });
  try {
    compile(source, join(folder, "dist"));
    const others = globSync("dist/*/*.js", { cwd: folder }).filter(file => !file.startsWith(`dist/${service}/`));
    if (others.length > 0)
      throw new Error(`the contract of ${service} imports ${others.join(", ")} of another service`);
    const events = join(ROOT, "services", service, "events");
    if (existsSync(events)) cpSync(events, join(folder, "events"), { recursive: true });
    writeFileSync(
      join(folder, "package.json"),
      `${JSON.stringify(manifestOf(name, version, service, folder), null, 2)}\n`,
    );
  } catch (error) {
    rmSync(folder, { recursive: true });
    throw error;
  }
  return name;
}

function compile(source: string, outDir: string): void {
  // Beside the source, whose packages the compiler has to find.
  const settings = mkdtempSync(join(ROOT, ".contract-"));
  try {
    const compilerOptions = {
      noEmit: false,
      noEmitOnError: true,
      declaration: true,
      rewriteRelativeImportExtensions: true,
      rootDir: join(ROOT, "services"),
      outDir,
    };
    const options = { extends: "../tsconfig.json", compilerOptions, files: [source], include: [] };
    writeFileSync(join(settings, "tsconfig.json"), JSON.stringify(options));
    execFileSync("tsc", ["-p", settings], { encoding: "utf8", stdio: "pipe" });
  } catch (error) {
    throw new Error(`the contract does not compile:\n${(error as { stdout?: string }).stdout}`, { cause: error });
  } finally {
    rmSync(settings, { recursive: true });
  }
  for (const file of globSync("**/*.d.ts", { cwd: outDir }))
    writeFileSync(join(outDir, file), withJsImports(readFileSync(join(outDir, file), "utf8")));
}

/** Its peers are the packages that it imports: a project has one runtime. */
function manifestOf(name: string, version: string, service: string, folder: string): object {
  const { dependencies, license } = JSON.parse(readFileSync(join(ROOT, "package.json"), "utf8"));
  const code = globSync("dist/**/*.{js,d.ts}", { cwd: folder }).map(file => readFileSync(join(folder, file), "utf8"));
  const isImported = (dependency: string): boolean =>
    code.some(text => text.includes(`"${dependency}"`) || text.includes(`"${dependency}/`));
  const peers = Object.entries<string>(dependencies).filter(([dependency]) => isImported(dependency));
  const door = `./dist/${service}/contract`;
  return {
    name,
    version,
    description: `The contract of ${service}`,
    license,
    type: "module",
    exports: { ".": { types: `${door}.d.ts`, default: `${door}.js` }, "./events/*": "./events/*" },
    files: ["dist", "events"],
    peerDependencies: Object.fromEntries(peers.map(([dependency, range]) => [dependency, `^${range}`])),
  };
}

if (process.argv[1] === import.meta.filename)
  await script(() => {
    const { positionals, values } = parseArgs({
      allowPositionals: true,
      options: { scope: { type: "string" }, version: { type: "string" } },
    });
    const [service, folder] = positionals;
    if (service === undefined || folder === undefined || positionals.length > 2)
      throw new Error("usage: node deploy/contract-package.ts <service> <folder> [--scope @acme] [--version 1.0.0]");
    console.log(`${contractPackage(service, folder, values)} is in ${folder}: npm publish ${folder}`);
  });
