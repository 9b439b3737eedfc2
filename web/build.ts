// node web/build.ts [--out FOLDER [--prerender URL] [--site URL] [--assets URL]]
//
// The one way to build the pages. `--out` writes them elsewhere, for a delivery network (docs/cdn.md): with `--prerender` each page of
// the catalog of the shop at URL is a file with its content, whose canonical address begins with that of `--site`; with `--assets`
// files with a hash in their name come from another origin. Without `--out` the output goes where the gateway looks for it:
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
import { parseArgs, promisify } from "node:util";
import { brotliCompress, constants, gzip } from "node:zlib";
import type { InlineConfig, Plugin, Rolldown } from "vite";
import { prerender } from "./prerender.ts";
import type { Renderer } from "./storefront/renderer.ts";

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

/** Pages for a network. */
interface Distribution {
  /** Origin of the shop whose catalog becomes pages. */
  readonly prerender?: string | undefined;
  /** Origin of the pages; default that of the shop. */
  readonly site?: string | undefined;
  /** Address before `/assets`; default none, the origin of the page. */
  readonly assets?: string | undefined;
}

/** Builds into a folder, which is made anew. */
async function buildInto(folder: string, { prerender: shop, site, assets }: Distribution = {}): Promise<void> {
  const { build } = await import("vite");
  const built = (await build({
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
    // Files find each other from wherever they are served: the HTML alone says where that is.
    experimental: { renderBuiltUrl: (file, { hostType }) => (hostType === "html" ? `/${file}` : { relative: true }) },
  })) as Rolldown.RolldownOutput;
  if (shop !== undefined) {
    const productScripts = scriptsOf(built, "storefront/pages/product/view.tsx");
    const [from, at] = [shop, site ?? shop].map(url => url.replace(/\/$/, "")) as [string, string];
    await withRenderer(`${folder}-renderer`, renderer =>
      prerender({ folder, shop: from, site: at, renderer, productScripts }),
    );
  }
  const files = await readdir(folder, { recursive: true });
  if (assets !== undefined)
    for (const file of files.filter(name => name.endsWith(".html"))) await moveAssets(join(folder, file), assets);
  await Promise.all(
    files.filter(file => /\.(html|js|css|svg|json|xml)$/.test(file)).map(file => compress(join(folder, file))),
  );
}

/** Runs with what makes HTML of the storefront, compiled for Node into a folder that is removed again. */
async function withRenderer(folder: string, run: (renderer: Renderer) => Promise<void>): Promise<void> {
  const { build } = await import("vite");
  try {
    await build({
      ...config(),
      ssr: { noExternal: true },
      build: { ssr: join(ROOT, "storefront/prerender.tsx"), outDir: folder, emptyOutDir: true, target: "node22" },
    });
    await run((await import(pathToFileURL(join(folder, "prerender.js")).href)) as Renderer);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** Addresses of the file that a source has become, and of what that loads at once. */
function scriptsOf({ output }: Rolldown.RolldownOutput, source: string): string[] {
  const chunks = output.filter(file => file.type === "chunk");
  const chunk = chunks.find(({ facadeModuleId }) => facadeModuleId === join(ROOT, source));
  return chunk === undefined ? [] : [chunk.fileName, ...chunk.imports].map(file => `/${file}`);
}

async function moveAssets(path: string, base: string): Promise<void> {
  const html = await readFile(path, "utf8");
  await writeFile(
    path,
    html.replaceAll('="/assets/', () => `="${base.replace(/\/$/, "")}/assets/`),
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
  const text = { type: "string" } as const;
  const { values } = parseArgs({ args: [...args], options: { out: text, prerender: text, site: text, assets: text } });
  const { out, ...distribution } = values;
  for (const [name, value] of Object.entries(distribution)) {
    if (out === undefined) throw new Error(`--${name} needs --out: the gateway's own pages are without it`);
    if (!/^https?:/.test(URL.parse(value)?.href ?? ""))
      throw new Error(`--${name} needs a URL, such as https://shop.example`);
  }
  if (out === undefined) return console.log(await buildIfStale());
  await buildInto(resolve(out), distribution);
  console.log(resolve(out));
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? "").href)
  await main(process.argv.slice(2)).catch((error: Error) => {
    console.error(error.message);
    process.exitCode = 1;
  });
