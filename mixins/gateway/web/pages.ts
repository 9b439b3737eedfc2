// Pages for browsers beside the API: a folder of built files, which are kept in memory.
//
//   /assets/<name>-<hash>   a file whose name changes with its content: kept for a year. An unknown one is a 404, never a
//                           page: a browser that runs an older page would take the page for a script
//                           page: a browser that runs an older page would take the page for a script. A delivery network may
//                           serve them from an origin of its own (ASSET_BASE_URL)
//   any other file          asked for again each time
//   any other address       of a browser (`Accept: text/html`) gets the page of its application, which knows what to show; one about
//                           a thing has title and description in it (`page-head.ts`)
//
// Addresses of the API and of the gateway itself come first. While the files are built, pages answer 503 and reload themselves.
import { existsSync } from "node:fs";
import { readdir, readFile } from "node:fs/promises";
import type { IncomingMessage, ServerResponse } from "node:http";
import { extname, join, resolve } from "node:path";
import type { ServiceBroker } from "moleculer";
import { appHeaders, end, pathOf, type Handler, type HeaderList } from "../../http/siblings.ts";
import { Builder } from "./builder.ts";
import { headFor, withHead, type ThingPages } from "./page-head.ts";
import { contentOf, IMMUTABLE, sendFile, type FileContent } from "./send-file.ts";

export interface PagesOptions {
  /** Folder of the sources, from the working folder: `build.ts` in it builds them, into `dist` in it. */
  readonly folder: string;
  /** The application of each address and of all below it; the longest address wins. */
  readonly apps: Readonly<Record<string, App>>;
}
export interface PagesSetting {
  /** Asks about things. Default none: pages come without their heads. */
  readonly broker?: ServiceBroker;
  /** Origin of the pages, for whole addresses in them. */
  readonly origin?: string | undefined;
  /** Address before `/assets` of files with a hash, without a slash at its end. Default none: they come from the gateway. */
  readonly assets?: string | undefined;
}
export interface App {
  /** Name of its HTML file. */
  readonly html: string;
  /** Sources of images beside its own origin, as a Content-Security-Policy has them. Default none. */
  readonly images?: readonly string[];
  /** Its pages about one thing each: title and description are in their HTML, and one that is not there is a 404. */
  readonly things?: readonly ThingPages[];
}

interface Log {
  info: (line: string) => void;
  warn: (line: string) => void;
}

/**
 * Never of a page, though they may be served nowhere: with INTERNAL_ROUTES=internal, `/metrics` is not on this port. So are
 * files at the root and hidden ones; further down a dot may be part of an id (`/desk/loans/shelf.42`).
 */
const RESERVED = /^\/(?:api|assets|docs|guide|health|metrics|problems)(?:\/|$)|^\/[^/]*\.[^/]*$|\/\./;
export const ASSETS = "/assets/";

export class Pages {
  readonly #folder: string;
  readonly #apps: readonly ServedApp[];
  readonly #builder: Builder;
  readonly #log: Log;
  readonly #setting: PagesSetting;
  #files: ReadonlyMap<string, FileContent> | undefined;
  #isStarting = true;

  constructor({ folder, apps }: PagesOptions, log: Log, setting: PagesSetting = {}) {
    this.#folder = resolve(folder);
    this.#builder = new Builder(this.#folder);
    this.#log = log;
    this.#setting = setting;
    const assets = setting.assets === undefined ? undefined : new URL(setting.assets).origin;
    this.#apps = Object.entries(apps)
      .map(([at, { html, images = [], things = [] }]) => ({ at, html, things, security: appHeaders(images, assets) }))
      .toSorted((a, b) => b.at.length - a.at.length);
  }

  /**
   * Loads the files, after it has built them if they are older than their sources and `builds` says so. Never rejects: a
   * gateway without pages serves its API.
   */
  async start({ builds }: { builds: boolean }): Promise<void> {
    try {
      const output = (builds ? await this.#builder.build() : undefined) ?? (await this.#lastOutput());
      if (output === undefined)
        this.#log.info(`no pages: nothing is built in ${this.#folder}; the API is served alone`);
      else this.#files = await filesIn(output, this.#setting.assets);
    } catch (error) {
      this.#log.warn(`no pages: ${(error as Error).message}`);
    } finally {
      this.#isStarting = false;
    }
  }

  /** Ends a build that is under way. */
  stop(): void {
    this.#builder.stop();
  }

  /** The handler of a request of no route and no endpoint; undefined where there is nothing for it: a 404. */
  handlerFor(req: IncomingMessage): Handler | undefined {
    const path = pathOf(req);
    const file = path.endsWith(".html") ? undefined : this.#files?.get(path);
    if (file) {
      const isAsset = path.startsWith(ASSETS);
      const about = { "Content-Type": typeOf(path), "Cache-Control": isAsset ? IMMUTABLE : "no-cache" };
      return (_req, res) => sendFile(req, res, file, about, isAsset ? ASSET_HEADERS : FILE_HEADERS);
    }
    if (RESERVED.test(path) || !isForBrowser(req)) return undefined;
    const app = this.#apps.find(({ at }) => at === "/" || path === at || path.startsWith(`${at}/`));
    if (app === undefined) return undefined;
    const page = this.#files?.get(`/${app.html}`);
    if (page) return (_req, res) => void this.#sendPage(req, res, app, page);
    return this.#isStarting ? sendPatience : undefined;
  }

  /** Never rejects: a page whose head is not known is sent without it. */
  async #sendPage(req: IncomingMessage, res: ServerResponse, app: ServedApp, page: FileContent): Promise<void> {
    const { broker, origin } = this.#setting;
    const path = pathOf(req);
    const thing = app.things.find(things => things.path.test(path));
    const id = thing?.path.exec(path)?.groups?.["id"];
    const head = broker && thing && id !== undefined ? await headFor(broker, thing, id) : undefined;
    if (res.destroyed) return;
    if (head === undefined) return sendFile(req, res, page, HTML, app.security);
    if (head !== "gone") {
      const html = withHead(page.body.bytes.toString(), head, path, origin);
      return sendFile(req, res, contentOf(html), HTML, app.security);
    }
    for (const [name, value] of app.security) res.setHeader(name, value);
    end(res, 404, HTML, page.body.bytes);
  }

  async #lastOutput(): Promise<string | undefined> {
    const dist = join(this.#folder, "dist");
    const name = await readFile(join(dist, "current"), "utf8").catch(() => "");
    const output = join(dist, name);
    return name !== "" && existsSync(output) ? output : undefined;
  }
}

interface ServedApp {
  readonly at: string;
  readonly html: string;
  readonly things: readonly ThingPages[];
  readonly security: HeaderList;
}

/** A browser names HTML when it opens a page; programs that take anything want the API. */
const isForBrowser = ({ headers: { accept = "" } }: IncomingMessage): boolean => accept.includes("text/html");

/** All files by their paths. `assets`: the HTML names files with a hash there. */
async function filesIn(folder: string, assets: string | undefined): Promise<Map<string, FileContent>> {
  const names = await readdir(folder, { recursive: true, withFileTypes: true });
  const paths = names.filter(entry => entry.isFile()).map(entry => join(entry.parentPath, entry.name));
  const files = new Map<string, FileContent>();
  for (const path of paths.filter(path => !/\.(br|gz)$/.test(path))) {
    const [br, gzip] = ["br", "gz"].map(ending =>
      paths.includes(`${path}.${ending}`) ? `${path}.${ending}` : undefined,
    );
    const encoded = { ...(br && { br: await readFile(br) }), ...(gzip && { gzip: await readFile(gzip) }) };
    const content = await readFile(path);
    const isMoved = assets !== undefined && path.endsWith(".html");
    const file = isMoved
      ? contentOf(content.toString().replaceAll(`="${ASSETS}`, () => `="${assets}${ASSETS}`))
      : contentOf(content, encoded);
    files.set(path.slice(folder.length).replaceAll("\\", "/"), file);
  }
  return files;
}

const HTML = { "Content-Type": "text/html; charset=utf-8", "Cache-Control": "no-cache" };
const FILE_HEADERS = appHeaders([]);
/** Pages of another origin may load them: a network has them at an address of its own. They hold nothing of anybody. */
const ASSET_HEADERS: HeaderList = [
  ...FILE_HEADERS.filter(([name]) => name !== "Cross-Origin-Resource-Policy"),
  ["Cross-Origin-Resource-Policy", "cross-origin"],
  ["Access-Control-Allow-Origin", "*"],
];
const TYPES: Readonly<Record<string, string>> = {
  ".css": "text/css; charset=utf-8",
  ".js": "text/javascript; charset=utf-8",
  ".json": "application/json; charset=utf-8",
  ".png": "image/png",
  ".svg": "image/svg+xml",
  ".txt": "text/plain; charset=utf-8",
  ".webmanifest": "application/manifest+json",
  ".webp": "image/webp",
};
const typeOf = (path: string): string => TYPES[extname(path)] ?? "application/octet-stream";

/** Seconds after which a browser asks again for a page that is being built. */
const RELOAD_S = 1;
const PATIENCE = `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<meta name="color-scheme" content="light dark">
<meta http-equiv="refresh" content="${RELOAD_S}">
<title>One moment</title>
<h1>One moment</h1>
<p>The pages are being built. This one loads by itself when they are ready.</p>
</html>
`;
function sendPatience(_req: IncomingMessage, res: ServerResponse): void {
  for (const [name, value] of FILE_HEADERS) res.setHeader(name, value);
  end(res, 503, { ...HTML, "Cache-Control": "no-store", "Retry-After": `${RELOAD_S}` }, PATIENCE);
}
