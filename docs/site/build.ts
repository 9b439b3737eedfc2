// node docs/site/build.ts [--repository URL] [--base PATH]
//
// Builds the guide as a site, docs/site/dist: the pages of docs/ as they lie in the repository, in the order of docs/README.md. A link
// to a page that is not there fails the build. Its packages are no dependencies of ours: they are installed before the first
// build, and again when their lock file has changed.
//
//   --repository URL   where links to files lead that are no pages, https://git.example.com/valence/blob/main; without it they are
//                      text
//   --base PATH        of the site on its host, /guide/. Default /
import { spawnSync } from "node:child_process";
import { cpSync, existsSync, globSync, mkdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { join as joinUrl } from "node:path/posix";
import { parseArgs } from "node:util";

const site = import.meta.dirname;
const docs = join(site, "..");
/** VitePress reads these: the pages as a site has them. */
const pages = join(site, ".pages");
const { values } = parseArgs({ options: { repository: { type: "string" }, base: { type: "string", default: "/" } } });
const repository = values.repository?.replace(/\/$/, "");

install();
writePages();
writeConfiguration();
run(process.execPath, [join(site, "node_modules/vitepress/bin/vitepress.js"), "build", pages]);

function install(): void {
  const installed = join(site, "node_modules/.package-lock.json");
  if (existsSync(installed) && statSync(installed).mtimeMs >= statSync(join(site, "package-lock.json")).mtimeMs) return;
  // Nothing is downloaded or compiled by a script of a package: the binary of esbuild is a package.
  run("npm", ["ci", "--prefix", site, "--ignore-scripts", "--no-audit", "--no-fund"]);
}

function writePages(): void {
  rmSync(pages, { recursive: true, force: true });
  for (const page of globSync("**/*.md", { cwd: docs, exclude: ["site/**"] })) {
    const target = join(pages, pageOf(page.replaceAll("\\", "/")));
    mkdirSync(dirname(target), { recursive: true });
    writeFileSync(target, asPage(page.replaceAll("\\", "/"), readFileSync(join(docs, page), "utf8")));
  }
  if (existsSync(join(docs, "images"))) cpSync(join(docs, "images"), join(pages, "images"), { recursive: true });
}

/** The index of the repository's folder is the site's first page. */
function pageOf(path: string): string {
  return path.replace(/^README\.md/, "index.md");
}

/** A page without the remarks to its authors, and with links that hold on the site. */
function asPage(page: string, text: string): string {
  return text.replaceAll(/^<!--[^]*?-->\n+/gm, "").replaceAll(/\[([^\]]*)\]\(([^)\s]+)\)/g, (whole, label, link) => {
    if (/^[a-z]+:|^#/.test(link)) return whole;
    const [path = "", anchor] = (link as string).split("#");
    const target = joinUrl("docs", dirname(page), path);
    if (/^docs\/(?!site\/).*\.(?:md|png)$/.test(target)) return `[${label}](${pageOf(link)})`;
    if (repository === undefined) return label;
    return `[${label}](${repository}/${target}${anchor === undefined ? "" : `#${anchor}`})`;
  });
}

function writeConfiguration(): void {
  const configuration = {
    title: "Valence",
    description: "Event-sourced virtual actors on Moleculer brokers",
    base: values.base,
    outDir: join(site, "dist"),
    cacheDir: join(site, ".cache"),
    // Text between angle brackets is text: no page of ours has markup.
    markdown: { html: false },
    // Addresses of a shop on the reader's own machine.
    ignoreDeadLinks: "localhostLinks",
    themeConfig: { sidebar: sidebar(), outline: [2, 3], search: { provider: "local" } },
  };
  mkdirSync(join(pages, ".vitepress"));
  writeFileSync(join(pages, ".vitepress/config.mjs"), `export default ${JSON.stringify(configuration, null, 2)};\n`);
}

/** The parts of docs/README.md, each with the pages that it names, by their titles. */
function sidebar(): object[] {
  const [, ...parts] = readFileSync(join(docs, "README.md"), "utf8").split(/^## /m);
  return parts.map(part => {
    const names = [...part.matchAll(/\]\(([\w-]+\.md)[)#]/g)].map(([, name]) => name!);
    const items = [...new Set(names)].map(name => ({ text: titleOf(name), link: `/${name.replace(/\.md$/, "")}` }));
    return { text: part.split("\n", 1)[0], collapsed: false, items };
  });
}

function titleOf(page: string): string {
  return /^# (.*)$/m.exec(readFileSync(join(docs, page), "utf8"))![1]!.replaceAll("`", "");
}

function run(command: string, args: string[]): void {
  const { status, error } = spawnSync(command, args, { stdio: "inherit" });
  if (status !== 0) throw new Error(`${command} ${args.join(" ")} failed`, { cause: error });
}
