// Pages beside the API: what a browser gets from which address, in which form, and how long it may keep it.
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "@jest/globals";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { brotliCompressSync, brotliDecompressSync, gzipSync } from "node:zlib";
import { request, type IncomingMessage } from "node:http";
import { newId, Refusal } from "../../kernel/index.ts";
import { until } from "../../testing/until.ts";
import { raw } from "../gateway.fixture.ts";
import { book, routes, startLibrary, type Library } from "../library.fixture.ts";
import { Gateway } from "../mixin.ts";
import { Pages } from "./pages.ts";

const SCRIPT = `export const words = "${"long ".repeat(400)}";`;
const APPS = { "/": { html: "reading-room.html", images: ["https:"] }, "/desk": { html: "desk.html" } };
const BROWSER = { accept: "text/html,application/xhtml+xml,*/*;q=0.8" };

/** Writes an output as a build does. */
async function output(folder: string, name: string): Promise<void> {
  const files = join(folder, "dist", name);
  await mkdir(join(files, "assets"), { recursive: true });
  const texts = { "reading-room.html": "<p>Books</p>", "desk.html": "<p>Desk</p>", "robots.txt": "User-agent: *" };
  for (const [file, text] of Object.entries(texts)) await writeFile(join(files, file), text);
  await writeFile(join(files, "assets/main-1a2b3c4d.js"), SCRIPT);
  await writeFile(join(files, "assets/main-1a2b3c4d.js.br"), brotliCompressSync(SCRIPT));
  await writeFile(join(files, "assets/main-1a2b3c4d.js.gz"), gzipSync(SCRIPT));
  await writeFile(join(folder, "dist/current"), name);
}

const gatewayOf = (folder: string) => Gateway({ api: { name: "Library API" }, routes, pages: { folder, apps: APPS } });

let folder: string;
const makeFolder = async () => void (folder = await mkdtemp(join(tmpdir(), "pages-")));
const removeFolder = () => rm(folder, { recursive: true, force: true });

describe("of an output", () => {
  let gateway: Library;
  beforeAll(async () => {
    await makeFolder();
    await output(folder, "one");
    gateway = await startLibrary({}, [], { WEB: "on", NODE_ENV: "production" }, gatewayOf(folder));
    await until("the pages are loaded", async () => (await page("/")).status === 200);
  });
  afterAll(async () => {
    await gateway?.stop();
    await removeFolder();
  });
  const page = (path: string, headers: Record<string, string> = {}) =>
    gateway.http("GET", path, { headers: { ...BROWSER, ...headers } });

  test.each([
    ["/", "<p>Books</p>"],
    ["/books/42?sort=title", "<p>Books</p>"],
    ["/desk", "<p>Desk</p>"],
    ["/desk/loans/1", "<p>Desk</p>"],
    ["/desk/loans/shelf.42", "<p>Desk</p>"],
    ["/desktop", "<p>Books</p>"],
  ])("%s is a page of its application", async (path, text) => {
    const answer = await page(path);
    expect([answer.status, answer.text, answer.headers.get("cache-control")]).toEqual([200, text, "no-cache"]);
    expect(answer.headers.get("content-type")).toBe("text/html; charset=utf-8");
  });

  test.each([
    "/api/v1/none",
    "/assets/main-gone.js",
    "/health/none",
    "/metrics/none",
    "/docs/none",
    "/guide",
    "/problems/none",
    "/problems/none/deeper",
    "/.env",
    "/x.php",
    "/desk/.git/config",
  ])("%s is no page: 404 as before", async path => {
    const answer = await page(path);
    expect([answer.status, answer.json.type]).toEqual([404, "/problems/not-found"]);
  });

  test("a page is for browsers: a program gets the API's name, and 404 elsewhere", async () => {
    expect((await gateway.http("GET", "/")).json).toMatchObject({ name: "Library API" });
    expect((await gateway.http("GET", "/books")).status).toBe(404);
    expect((await gateway.http("GET", "/api/v1/books", { headers: BROWSER })).status).toBe(200);
  });

  test("its policy allows our own scripts, styles and calls alone, and images from where the application says", async () => {
    const [room, desk] = await Promise.all(["/", "/desk"].map(async path => policyOf((await page(path)).headers)));
    expect(desk).toEqual({
      "default-src": "'none'",
      "script-src": "'self'",
      "style-src": "'self'",
      "img-src": "'self'",
      "connect-src": "'self'",
      "manifest-src": "'self'",
      "form-action": "'self'",
      "base-uri": "'none'",
      "frame-ancestors": "'none'",
      "require-trusted-types-for": "'script'",
      "trusted-types": "'none'",
    });
    expect(room).toEqual({ ...desk, "img-src": "'self' https:" });
    const { headers } = await page("/");
    expect(headers.get("cross-origin-opener-policy")).toBe("same-origin");
    expect(headers.get("x-content-type-options")).toBe("nosniff");
  });

  test("an asset is kept for a year, in the form that was compressed before, with a strong tag of its own for each", async () => {
    const tags = new Set<string>();
    for (const [accepted, encoding] of [
      ["identity", undefined],
      ["gzip", "gzip"],
      ["gzip, br", "br"],
    ] as const) {
      const { status, headers, bytes } = await file("GET", { "accept-encoding": accepted });
      expect([status, headers["content-encoding"]]).toEqual([200, encoding]);
      expect(headers["cache-control"]).toBe("public, max-age=31536000, immutable");
      expect(headers["content-type"]).toBe("text/javascript; charset=utf-8");
      if (encoding === "br") expect(brotliDecompressSync(bytes).toString()).toBe(SCRIPT);
      if (encoding === "gzip") expect(bytes).toEqual(gzipSync(SCRIPT));
      tags.add(headers.etag!);
      const again = await file("GET", { "accept-encoding": accepted, "if-none-match": headers.etag! });
      expect([again.status, again.bytes.length, again.headers.etag]).toEqual([304, 0, headers.etag]);
      const head = await file("HEAD", { "accept-encoding": accepted });
      expect([head.status, head.bytes.length, head.headers.etag]).toEqual([200, 0, headers.etag]);
    }
    expect([...tags].filter(tag => tag.startsWith("W/"))).toEqual([]);
    expect(tags.size).toBe(3);
  });

  test("a part of a file is not sent: a request for a range gets the whole", async () => {
    const { status, bytes } = await file("GET", { range: "bytes=0-3" });
    expect([status, bytes.toString()]).toEqual([200, SCRIPT]);
  });

  test("a file without a hash in its name is asked for again each time, and an HTML file has no address of its own", async () => {
    const robots = await gateway.http("GET", "/robots.txt");
    expect([robots.text, robots.headers.get("cache-control")]).toEqual(["User-agent: *", "no-cache"]);
    expect((await page("/desk.html")).status).toBe(404);
    expect((await page("/assets/main-1a2b3c4d.js.br")).status).toBe(404);
  });

  test("pages are read only", async () => {
    const { status, headers } = await gateway.http("POST", "/desk", { headers: BROWSER });
    expect([status, headers.get("allow")]).toEqual([405, "GET, HEAD, OPTIONS"]);
    expect((await gateway.http("DELETE", "/assets/main-1a2b3c4d.js")).status).toBe(405);
  });

  test.each(["/assets/../current", "/assets/..%2f..%2fcurrent", "/%2e%2e/current", "/assets//x", "/assets/%00"])(
    "%s leads nowhere",
    async path => {
      const lines = [`GET ${path} HTTP/1.1`, "Host: a", "Accept: text/html", "Connection: close", "", ""];
      expect(await raw(gateway.port, lines.join("\r\n"))).toMatch(/^HTTP\/1\.1 400 /);
    },
  );

  const file = async (method: string, headers: Record<string, string>) => {
    const { promise, resolve, reject } = Promise.withResolvers<IncomingMessage>();
    request(`${gateway.url}/assets/main-1a2b3c4d.js`, { method, headers }, resolve).once("error", reject).end();
    const response = await promise;
    const chunks: Buffer[] = [];
    for await (const chunk of response) chunks.push(chunk as Buffer);
    return { status: response.statusCode, headers: response.headers, bytes: Buffer.concat(chunks) };
  };
});

const policyOf = (headers: Headers): Record<string, string> =>
  Object.fromEntries(
    headers
      .get("content-security-policy")!
      .split("; ")
      .map(directive => directive.split(/ (.*)/).slice(0, 2)),
  );

test("a page about a thing has its head, one without the thing is a 404, and one that nobody knows just now comes as it is", async () => {
  await makeFolder();
  await output(folder, "one");
  const [gone, lost] = [newId(), newId()];
  const shell = "<title>Library</title><p>Books</p>";
  await writeFile(join(folder, "dist/one/reading-room.html"), shell);
  const things = [
    {
      path: /^\/books\/(?<id>[\w-]+)$/,
      action: "books.get",
      headOf: ({ title, about }: typeof book) => ({ title, description: about, image: "/images/1/960.jpg" }),
    },
  ];
  const pages = { folder, apps: { "/": { html: "reading-room.html", things } } };
  const settings = { WEB: "on", NODE_ENV: "production", PUBLIC_URL: "https://library.example" };
  const answers = {
    "books.get": ({ params: { id } }: { params: { id: string } }) => {
      if (id === gone) throw new Refusal("BOOK_NOT_FOUND", { status: 404 });
      if (id === lost) throw new Error("the shelf is locked");
      return { ...book, title: 'A "<Book>" $& more', about: "long ".repeat(200) };
    },
  };
  const gateway = await startLibrary(answers, [], settings, Gateway({ api: { name: "Library API" }, routes, pages }));
  const page = (path: string) => gateway.http("GET", path, { headers: BROWSER });
  await until("the pages are loaded", async () => (await page("/")).status === 200);
  const { status, text, headers } = await page(`/books/${book.id}?utm_source=x`);
  expect([status, headers.get("cache-control")]).toEqual([200, "no-cache"]);
  expect(text).toContain("<title>A &quot;&lt;Book&gt;&quot; $&amp; more</title>");
  expect(text).toContain(`<link rel="canonical" href="https://library.example/books/${book.id}">`);
  expect(text).toContain('<meta property="og:image" content="https://library.example/images/1/960.jpg">');
  expect(/name="description" content="([^"]*)"/.exec(text)![1]).toHaveLength(300);
  expect(text).toContain("<p>Books</p>");
  for (const [path, expected] of [
    [`/books/${gone}`, 404],
    ["/books/none", 404],
    [`/books/${lost}`, 200],
    [`/books/${book.id}/more`, 200],
    ["/", 200],
  ] as const) {
    const other = await page(path);
    expect([path, other.status, other.text]).toEqual([path, expected, shell]);
    expect(policyOf(other.headers)["script-src"]).toBe("'self'");
  }
  await gateway.stop();
  await removeFolder();
});

test("ASSET_BASE_URL: pages name their files at that address, and their policy allows it; any page may load the files", async () => {
  await makeFolder();
  await output(folder, "one");
  const html = '<script src="/assets/main-1a2b3c4d.js"></script><a href="/desk">Desk</a>';
  await writeFile(join(folder, "dist/one/desk.html"), html);
  await writeFile(join(folder, "dist/one/desk.html.br"), brotliCompressSync(html));
  const settings = { WEB: "on", NODE_ENV: "production", ASSET_BASE_URL: "https://files.example/library/" };
  const gateway = await startLibrary({}, [], settings, gatewayOf(folder));
  const desk = () => gateway.http("GET", "/desk", { headers: { ...BROWSER, "accept-encoding": "br" } });
  await until("the pages are loaded", async () => (await desk()).status === 200);
  const { text, headers } = await desk();
  expect(text).toContain('src="https://files.example/library/assets/main-1a2b3c4d.js"');
  const { "script-src": scripts, "style-src": styles, "img-src": images, "connect-src": calls } = policyOf(headers);
  const both = "'self' https://files.example";
  expect([scripts, styles, images, calls]).toEqual([both, both, both, "'self'"]);
  const file = await gateway.http("GET", "/assets/main-1a2b3c4d.js");
  expect([
    file.status,
    file.headers.get("access-control-allow-origin"),
    file.headers.get("cross-origin-resource-policy"),
  ]).toEqual([200, "*", "cross-origin"]);
  expect((await gateway.http("GET", "/robots.txt")).headers.get("cross-origin-resource-policy")).toBe("same-origin");
  await gateway.stop();
  await removeFolder();
});

test("WEB=off: the API alone", async () => {
  await makeFolder();
  await output(folder, "one");
  const gateway = await startLibrary({}, [], { WEB: "off" }, gatewayOf(folder));
  expect((await gateway.http("GET", "/desk", { headers: BROWSER })).status).toBe(404);
  expect((await gateway.http("GET", "/", { headers: BROWSER })).json.name).toBe("Library API");
  await gateway.stop();
  await removeFolder();
});

describe("at a start", () => {
  const lines: string[] = [];
  const log = { info: (line: string) => void lines.push(line), warn: (line: string) => void lines.push(line) };
  const ask = (pages: Pages, url = "/desk") => pages.handlerFor({ url, headers: BROWSER } as never);
  /** The status and the body that a page has now. */
  const answered = (pages: Pages): Promise<[number, string]> =>
    new Promise(resolve => {
      let status = 0;
      const res = {
        req: { method: "GET", url: "/desk", headers: {} },
        setHeader: () => {},
        writeHead: (given: number) => void (status = given),
        end: (body: string | Buffer) => resolve([status, String(body)]),
      };
      ask(pages)!({ headers: {} } as never, res as never);
    });
  beforeEach(async () => {
    lines.length = 0;
    await makeFolder();
  });
  afterEach(removeFolder);

  const build = (body: string, { canBuild = true } = {}) =>
    writeFile(
      join(folder, "build.ts"),
      `import { existsSync, mkdirSync, writeFileSync } from "node:fs";
       export const fingerprint = (): string => "two";
       export const canBuild = (): boolean => ${canBuild};
       if (process.argv[1] === import.meta.filename) { ${body} }`,
    );

  test("an output that is older than its sources is built anew, and pages say so until then", async () => {
    await output(folder, "one");
    const dist = JSON.stringify(join(folder, "dist/two"));
    await build(`while (!existsSync(${JSON.stringify(join(folder, "go"))})) await new Promise(done => setTimeout(done, 20));
      mkdirSync(${dist}); writeFileSync(${dist} + "/desk.html", "<p>New</p>"); console.log(${dist});`);
    const pages = new Pages({ folder, apps: APPS }, log);
    const started = pages.start({ builds: true });
    const [status, text] = await answered(pages);
    expect([status, text]).toEqual([503, expect.stringContaining('http-equiv="refresh"')]);
    await writeFile(join(folder, "go"), "");
    await started;
    expect(await answered(pages)).toEqual([200, "<p>New</p>"]);
    expect(lines).toEqual([]);
  });

  test("one that is as new is served at once", async () => {
    await output(folder, "two");
    await build("throw new Error('built for nothing')");
    const pages = new Pages({ folder, apps: APPS }, log);
    await pages.start({ builds: true });
    expect(await answered(pages)).toEqual([200, "<p>Desk</p>"]);
  });

  test("a build that fails is said, and the API is served without pages", async () => {
    await build("console.error('desk.tsx:1: no such thing'); process.exit(1)");
    const pages = new Pages({ folder, apps: APPS }, log);
    await pages.start({ builds: true });
    expect(ask(pages)).toBeUndefined();
    expect(lines).toEqual(["no pages: the build failed: desk.tsx:1: no such thing"]);
  });

  test("in production nothing is built: the last output is served, and without one a line says so", async () => {
    await build("process.exit(1)");
    const none = new Pages({ folder, apps: APPS }, log);
    await none.start({ builds: false });
    expect(ask(none)).toBeUndefined();
    expect(lines).toEqual([`no pages: nothing is built in ${folder}; the API is served alone`]);
    await output(folder, "one");
    const pages = new Pages({ folder, apps: APPS }, log);
    await pages.start({ builds: false });
    expect(await answered(pages)).toEqual([200, "<p>Desk</p>"]);
  });

  test("without the tools of a build the last output is served", async () => {
    await output(folder, "one");
    await build("process.exit(1)", { canBuild: false });
    const pages = new Pages({ folder, apps: APPS }, log);
    await pages.start({ builds: true });
    expect(await answered(pages)).toEqual([200, "<p>Desk</p>"]);
  });

  test("a stop ends a build", async () => {
    await build("setInterval(() => {}, 1000)");
    const pages = new Pages({ folder, apps: APPS }, log);
    const started = pages.start({ builds: true });
    pages.stop();
    await started;
    expect(lines).toEqual([expect.stringMatching(/^no pages: nothing is built/)]);
  });
});
