// `/docs`: the API's description as a page (Swagger UI) on which requests can be tried. It is served from the package and
// loads nothing from elsewhere; its Content-Security-Policy allows no other origin and nothing inline.
//
// The page itself is never cached. Its files have their version in their URL, so that a browser keeps them for a year.
import { hash } from "node:crypto";
import { readFile } from "node:fs/promises";
import type { IncomingMessage, ServerResponse } from "node:http";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { promisify } from "node:util";
import { gzip } from "node:zlib";
import { type Handler, PAGE_HEADERS } from "../../http/siblings.ts";

const DOCS = "/docs";
const compressed = promisify(gzip);

/** The page and its files by path. `handle` makes a handler of an asynchronous one. */
export function docsPages(
  title: string,
  handle: (answer: (req: IncomingMessage, res: ServerResponse) => Promise<void>) => Handler,
): [path: string, handler: Handler][] {
  const swagger = createRequire(import.meta.url).resolve("swagger-ui-dist/package.json");
  const { version } = createRequire(import.meta.url)(swagger) as { version: string };
  const script = new URL("./try-it.mjs", import.meta.url);
  const files = FILES.map(name => ({ name, url: `${DOCS}/${version}/${name}`, path: join(dirname(swagger), name) }));
  const urlOf = (name: string): string => files.find(file => file.name === name)!.url;
  const page = (): string => pageOf(title, urlOf, `${DOCS}/try-it.mjs`);
  return [
    [DOCS, handle(async (req, res) => send(req, res, "text/html; charset=utf-8", { plain: Buffer.from(page()) }))],
    // Our own script changes with a release that may leave the version of Swagger UI alone.
    [`${DOCS}/try-it.mjs`, handle(once(script, "text/javascript; charset=utf-8", "no-cache"))],
    ...files.map(({ url, path }): [string, Handler] => [url, handle(once(path, typeOf(path), IMMUTABLE))]),
  ];
}

const FILES = ["swagger-ui-bundle.js", "swagger-ui.css", "favicon-32x32.png"] as const;
const IMMUTABLE = "public, max-age=31536000, immutable";
const TYPES: Readonly<Record<string, string>> = {
  js: "text/javascript; charset=utf-8",
  css: "text/css; charset=utf-8",
  png: "image/png",
};
const typeOf = (path: string): string => TYPES[path.slice(path.lastIndexOf(".") + 1)]!;

const pageOf = (title: string, urlOf: (name: string) => string, script: string): string => `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>${escaped(title)}</title>
<link rel="icon" href="${urlOf("favicon-32x32.png")}">
<link rel="stylesheet" href="${urlOf("swagger-ui.css")}">
<div id="api"></div>
<noscript>This page needs JavaScript. The description itself is at <a href="/openapi.json">/openapi.json</a>.</noscript>
<script src="${urlOf("swagger-ui-bundle.js")}"></script>
<script type="module" src="${script}"></script>
</html>
`;
const escaped = (text: string): string =>
  text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll('"', "&quot;");

interface Content {
  readonly plain: Buffer;
  readonly gzip?: Buffer;
  readonly tag?: string;
}

/** Answers a file, which is read and compressed at the first request: 1.7 MB of script are 0.5 MB then. */
function once(path: string | URL, type: string, cacheControl: string) {
  let content: Promise<Content> | undefined;
  const read = async (): Promise<Content> => {
    const plain = await readFile(path);
    const tag = `"${hash("sha256", plain, "base64url").slice(0, 22)}"`;
    return type === "image/png" ? { plain, tag } : { plain, tag, gzip: await compressed(plain) };
  };
  return async (req: IncomingMessage, res: ServerResponse): Promise<void> => {
    content ??= read();
    // A file that could not be read is tried again at the next request.
    content.catch(() => (content = undefined));
    send(req, res, type, await content, cacheControl);
  };
}

function send(
  { headers }: IncomingMessage,
  res: ServerResponse,
  type: string,
  { plain, gzip, tag }: Content,
  cacheControl = "no-cache",
): void {
  const zipped = gzip !== undefined && /(?:^|,)\s*gzip\s*(?:,|$)/.test(String(headers["accept-encoding"]));
  for (const [name, value] of PAGE_HEADERS) res.setHeader(name, value);
  res.setHeader("Cache-Control", cacheControl);
  if (gzip !== undefined) res.setHeader("Vary", "Accept-Encoding");
  if (tag !== undefined) res.setHeader("ETag", tag);
  if (tag !== undefined && headers["if-none-match"] === tag) return void res.writeHead(304).end();
  const body = zipped ? gzip : plain;
  res.writeHead(200, {
    "Content-Type": type,
    "Content-Length": body.length,
    ...(zipped && { "Content-Encoding": "gzip" }),
  });
  res.end(body);
}
