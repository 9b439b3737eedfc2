// node web/build.ts [--out FOLDER]
//
// The one way to build the pages. Without `--out` the output goes where the gateway looks for it:
//
//   1. The fingerprint is a hash of all that the output follows from. An output with it is there already: nothing to do.
//   2. One process builds, others that start at the same time wait for it.
//   3. Vite writes into a folder beside the outputs; each text is compressed once more as well as it can be.
//   4. The folder is renamed to `dist/<fingerprint>`, and `dist/current` names it. Nobody sees half of an output.
//
// A crash before 4 leaves a folder that the next build removes, and a lock of a process that is gone, which it takes over.
import { createHash } from "node:crypto";
import { existsSync, globSync, readFileSync } from "node:fs";
import { link, mkdir, readdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import { join, resolve } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { pathToFileURL } from "node:url";
import { promisify } from "node:util";
import { brotliCompress, constants, gzip } from "node:zlib";
import type { InlineConfig, Plugin } from "vite";

const ROOT = import.meta.dirname;
const PROJECT = join(ROOT, "..");
const DIST = join(ROOT, "dist");
const CURRENT = "current";
const LOCK = join(DIST, "lock");

/** The HTML of each application; the gateway knows which addresses get which. */
const ENTRIES = ["storefront.html", "console.html"];
/** What the browser gets changes with them: the pages, the client of the API, and how they are compiled. */
const INPUTS = ["web/**/*", "client/**/*", "tsconfig.json", "package-lock.json"];
const NOT_INPUTS = /(^|\/)(dist|node_modules)(\/|$)|\.test\.tsx?$/;

const limits = {
  /** Bytes from which a file is compressed: below, it fits in one packet anyway. */
  compressFromBytes: 500,
  /** Milliseconds between two looks at another process that builds. */
  lockPauseMs: 100,
};

/** Hash of everything that the output follows from: 24 hexadecimal digits. */
export function fingerprint(): string {
  const hash = createHash("sha256");
  const files = globSync(INPUTS, {
    cwd: PROJECT,
    withFileTypes: true,
    exclude: ({ name }) => /^(dist|node_modules)$/.test(name),
  });
  const paths = files.filter(file => file.isFile()).map(file => join(file.parentPath, file.name));
  for (const path of paths.filter(path => !NOT_INPUTS.test(path.slice(PROJECT.length))).sort())
    hash
      .update(`${path.slice(PROJECT.length)}\0`)
      .update(readFileSync(path))
      .update("\0");
  return hash.digest("hex").slice(0, 24);
}

/** Whether the tools of a build are installed: `npm ci --workspace=mixins` leaves them out. */
export function canBuild(): boolean {
  try {
    return import.meta.resolve("vite") !== "";
  } catch {
    return false;
  }
}

/** What the build and the development server have in common. */
export const config = (): InlineConfig => ({
  configFile: false,
  root: ROOT,
  appType: "mpa",
  publicDir: false,
  logLevel: "warn",
  oxc: { jsx: { runtime: "automatic", importSource: "preact" } },
});

/** Builds into a folder, which is made anew. */
async function buildInto(folder: string): Promise<void> {
  const { build } = await import("vite");
  await build({
    ...config(),
    plugins: [themeScript()],
    build: {
      outDir: folder,
      emptyOutDir: true,
      target: "es2022",
      // Our policy allows neither `data:` scripts nor inline ones.
      assetsInlineLimit: 0,
      modulePreload: { polyfill: false },
      reportCompressedSize: false,
      rolldownOptions: { input: ENTRIES.map(entry => join(ROOT, entry)) },
    },
  });
  const files = await readdir(folder, { recursive: true });
  await Promise.all(
    files.filter(file => /\.(html|js|css|svg|json)$/.test(file)).map(file => compress(join(folder, file))),
  );
}

/**
 * The script that sets the colours runs before the first paint, so it is no module and Vite leaves it alone: it gets its hash here.
 */
function themeScript(): Plugin {
  const source = readFileSync(join(ROOT, "kit/theme.js"), "utf8");
  return {
    name: "theme-script",
    buildStart() {
      this.emitFile({ type: "asset", name: "theme.js", source });
    },
    transformIndexHtml: {
      order: "post",
      handler: (html, { bundle = {} }) => {
        const file = Object.values(bundle).find(({ fileName }) => /^assets\/theme-[\w-]+\.js$/.test(fileName));
        return html.replace("/kit/theme.js", `/${file!.fileName}`);
      },
    },
  };
}

const brotliOf = promisify(brotliCompress);
const gzipOf = promisify(gzip);
async function compress(path: string): Promise<void> {
  const text = await readFile(path);
  if (text.length < limits.compressFromBytes) return;
  const params = { [constants.BROTLI_PARAM_MODE]: constants.BROTLI_MODE_TEXT };
  await writeFile(`${path}.br`, await brotliOf(text, { params }));
  await writeFile(`${path}.gz`, await gzipOf(text, { level: 9 }));
}

/** Builds what is not built. Resolves with the folder of the output. */
export async function buildIfStale(): Promise<string> {
  const name = fingerprint();
  const output = join(DIST, name);
  await mkdir(DIST, { recursive: true });
  const release = await lock();
  try {
    if (!existsSync(output)) {
      const unfinished = join(DIST, `unfinished-${process.pid}`);
      await buildInto(unfinished);
      await rename(unfinished, output);
    }
    await writeFile(join(DIST, `${CURRENT}.new`), name);
    await rename(join(DIST, `${CURRENT}.new`), join(DIST, CURRENT));
    // A gateway that runs has its files in memory.
    const others = (await readdir(DIST)).filter(file => ![name, CURRENT, "lock"].includes(file));
    await Promise.all(others.map(file => rm(join(DIST, file), { recursive: true, force: true })));
    return output;
  } finally {
    await release();
  }
}

/** Resolves when no other process builds. A lock of a process that is gone is none. */
async function lock(): Promise<() => Promise<void>> {
  for (;;) {
    const own = `${LOCK}-${process.pid}`;
    try {
      // A file that appears with its content in it: nobody reads one without an owner.
      await writeFile(own, `${process.pid}`);
      await link(own, LOCK);
      return () => rm(LOCK, { force: true });
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error;
    } finally {
      await rm(own, { force: true });
    }
    const owner = Number(await readFile(LOCK, "utf8").catch(() => ""));
    if (owner > 0 && !isRunning(owner)) await rm(LOCK, { force: true });
    else await sleep(limits.lockPauseMs);
  }
}

function isRunning(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "EPERM";
  }
}

async function main(args: readonly string[]): Promise<void> {
  const at = args.indexOf("--out");
  if (at < 0) return console.log(await buildIfStale());
  const out = args[at + 1];
  if (out === undefined) throw new Error("--out needs a folder");
  await buildInto(resolve(out));
  console.log(resolve(out));
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? "").href)
  await main(process.argv.slice(2)).catch((error: Error) => {
    console.error(error.message);
    process.exitCode = 1;
  });
