// `/docs`: the API's description as a page (Swagger UI) on which requests can be tried. It is served from the package and
// loads nothing from elsewhere; its Content-Security-Policy allows no other origin and nothing inline.
//
// The page itself is asked for again each time. Its files have their version in their URL, so that a browser keeps them for a year.
import { readFile } from "node:fs/promises";
import type { IncomingMessage, ServerResponse } from "node:http";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { PAGE_HEADERS, type Handler } from "../../http/siblings.ts";
import { contentOf, IMMUTABLE, sendFile, type FileContent } from "../web/send-file.ts";

const DOCS = "/docs";

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
  const page = contentOf(pageOf(title, urlOf, `${DOCS}/try-it.mjs`));
  return [
    [DOCS, handle(async (req, res) => sendFile(req, res, page, HTML, PAGE_HEADERS))],
    // Our own script changes with a release that may leave the version of Swagger UI alone.
    [`${DOCS}/try-it.mjs`, handle(once(script, "text/javascript; charset=utf-8", "no-cache"))],
    ...files.map(({ url, path }): [string, Handler] => [url, handle(once(path, typeOf(path), IMMUTABLE))]),
  ];
}

const FILES = ["swagger-ui-bundle.js", "swagger-ui.css", "favicon-32x32.png"] as const;
const HTML = { "Content-Type": "text/html; charset=utf-8", "Cache-Control": "no-cache" };
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
<div class="swagger-ui"><p class="wrapper">
<a href="/problems">Errors</a> · <a href="/asyncapi.json">Events (AsyncAPI)</a> · <a href="/openapi.json">Description (OpenAPI)</a>
</p></div>
<div id="api"></div>
<noscript>This page needs JavaScript. The description itself is at <a href="/openapi.json">/openapi.json</a>.</noscript>
<script src="${urlOf("swagger-ui-bundle.js")}"></script>
<script type="module" src="${script}"></script>
</html>
`;
const escaped = (text: string): string =>
  text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll('"', "&quot;");

/** Answers a file, which is read at the first request, and compressed once: 1.7 MB of script are 0.4 MB then. */
function once(path: string | URL, type: string, cacheControl: string) {
  let content: Promise<FileContent> | undefined;
  return async (req: IncomingMessage, res: ServerResponse): Promise<void> => {
    content ??= readFile(path).then(contentOf);
    // A file that could not be read is tried again at the next request.
    content.catch(() => (content = undefined));
    sendFile(req, res, await content, { "Content-Type": type, "Cache-Control": cacheControl }, PAGE_HEADERS);
  };
}
