// Images over HTTP: what is made of an original, and what is never made of a hostile one.
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "@jest/globals";
import { execFileSync } from "node:child_process";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { crc32 } from "node:zlib";
import { ServiceBroker } from "moleculer";
import sharp from "sharp";
import { defineErrors } from "../../kernel/index.ts";
import { toProblem } from "../../http/siblings.ts";
import { imageLimits as limits } from "./image-limits.ts";
import { Images, type ImagesSetting } from "./images.ts";
import { placeholderOf } from "./placeholder.ts";

const errors = defineErrors({
  NO_SUCH_THING: { status: 404, says: "there is no such thing", todo: "ask for another" },
});
const folder = mkdtempSync(join(tmpdir(), "images-"));
/** The addresses of the originals, by thing. */
const things = new Map<string, string | undefined>();
let broker: ServiceBroker;
let elsewhere: Server;
let remote: string;
/** What the server elsewhere answers. */
let answer: { status: number; headers: Record<string, string>; body: Buffer };
let fetched = 0;
let told: string[];
const servers: Server[] = [];

const colours = (width: number, height: number) =>
  sharp({ create: { width, height, channels: 3, background: "#c84" } });

/** A server of images alone. */
async function serve(setting: Partial<ImagesSetting> = {}): Promise<string> {
  const log = { info: (line: string) => told.push(line), warn: (line: string) => told.push(line) };
  const images = new Images(
    {
      action: "things.get",
      imageOf: ({ image, name }) => ({ address: image, name }),
      tag: id => `image:${id}`,
    },
    {
      broker,
      folder,
      networks: ["127.0.0.0/8"],
      bytesMax: 1_000_000,
      log,
      fail: (_req, res, error) => void res.writeHead(toProblem(error, "").problem.status).end(),
      ...setting,
    },
  );
  const server = createServer((req, res) => {
    const handle = images.handlerFor(req);
    if (handle) handle(req, res);
    else res.writeHead(404).end();
  });
  servers.push(server);
  await new Promise<void>(resolve => server.listen(0, "127.0.0.1", resolve));
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}/images`;
}
let url: string;
async function get(path: string, headers: Record<string, string> = {}, at = url) {
  const response = await fetch(`${at}/${path}`, { headers });
  const bytes = Buffer.from(await response.arrayBuffer());
  const [type, control] = ["content-type", "cache-control"].map(name => response.headers.get(name));
  return { status: response.status, headers: response.headers, bytes, type, control };
}

beforeAll(async () => {
  broker = new ServiceBroker({ logger: false });
  broker.createService({
    name: "things",
    actions: {
      get({ params: { id } }: { params: { id: string } }) {
        if (!things.has(id)) throw errors.NO_SUCH_THING({ field: "id" });
        return { name: "Wide <handle> mug", image: things.get(id) };
      },
    },
  });
  await broker.start();
  elsewhere = createServer((_req, res) => {
    fetched++;
    res.writeHead(answer.status, answer.headers).end(answer.body);
  });
  await new Promise<void>(resolve => elsewhere.listen(0, "127.0.0.1", resolve));
  remote = `http://127.0.0.1:${(elsewhere.address() as AddressInfo).port}`;
  writeFileSync(join(folder, "mug.jpg"), await colours(2_000, 1_000).jpeg().toBuffer());
  writeFileSync(join(folder, "small.png"), await colours(100, 50).png().toBuffer());
});
beforeEach(async () => {
  told = [];
  fetched = 0;
  things.clear();
  answer = { status: 200, headers: {}, body: await colours(800, 400).png().toBuffer() };
  url = await serve();
});
afterAll(async () => {
  for (const server of [...servers, elsewhere]) server.close().closeAllConnections();
  await broker.stop();
  rmSync(folder, { recursive: true });
});

describe("an original", () => {
  test.each([
    ["avif", "image/avif", "heif"],
    ["webp", "image/webp", "webp"],
    ["jpg", "image/jpeg", "jpeg"],
  ])("is made smaller as %s", async (format, type, known) => {
    things.set("a", "/mug.jpg");
    const image = await get(`a/320.${format}`);
    expect([image.status, image.type]).toEqual([200, type]);
    const { width, height, format: made } = await sharp(image.bytes).metadata();
    expect([width, height, made]).toEqual([320, 160, known]);
  });

  test("is never made larger", async () => {
    things.set("a", "/small.png");
    expect((await sharp((await get("a/640.webp")).bytes).metadata()).width).toBe(100);
  });

  test("is kept for long and named for purges, and is 304 for its tag", async () => {
    things.set("a", "/mug.jpg");
    const { headers, control } = await get("a/160.webp");
    expect(control).toBe("public, max-age=3600, s-maxage=86400, stale-while-revalidate=86400, stale-if-error=604800");
    expect([headers.get("surrogate-key"), headers.get("cache-tag")]).toEqual(["image:a", "image:a"]);
    expect(headers.get("vary")).toBe("Accept-Encoding, Origin");
    expect(headers.get("content-security-policy")).toContain("default-src 'none'");
    expect((await get("a/160.webp", { "If-None-Match": headers.get("etag")! })).status).toBe(304);
  });

  test("of an address is fetched once for many requests at once, and not again for the same size", async () => {
    things.set("a", `${remote}/a.png`);
    const all = await Promise.all(Array.from({ length: 10 }, () => get("a/320.webp")));
    expect(all.map(({ type }) => type)).toEqual(Array.from({ length: 10 }, () => "image/webp"));
    await get("a/320.webp");
    expect(fetched).toBe(1);
    // Another picture has another address.
    things.set("a", `${remote}/b.png`);
    await get("a/320.webp");
    expect(fetched).toBe(2);
  });

  test("is given as it is without sharp", async () => {
    const bare = await serve({ load: async () => undefined });
    things.set("a", "/mug.jpg");
    const { type, bytes } = await get("a/320.webp", {}, bare);
    expect([type, (await sharp(bytes).metadata()).width]).toEqual(["image/jpeg", 2_000]);
    expect(told).toEqual([expect.stringContaining("sharp is not installed")]);
  });
});

describe("a drawing", () => {
  test("stands for a thing without an image", async () => {
    things.set("a", undefined);
    const { status, type, control, bytes } = await get("a/320.webp");
    expect([status, type]).toEqual([200, "image/svg+xml"]);
    expect(control).toContain("s-maxage=86400");
    expect(bytes.toString()).toMatch(/^<svg xmlns="http:\/\/www\.w3\.org\/2000\/svg"[^]*>WH<\/text><\/svg>$/);
  });

  test.each(["<script>alert(1)</script>", '" onload="x', "&amp;", "", "🙂 😀", "日本 語"])(
    "of %j has no markup but its own",
    name => {
      const text = placeholderOf(name);
      expect(text.match(/<\w+/g)).toEqual(["<svg", "<rect", "<text"]);
      expect(text).not.toMatch(/on\w+=|script|&/i);
    },
  );
});

describe("a path that is no image's", () => {
  test.each(["a/321.webp", "a/320.svg", "a/320.png", "a/320", "a", "a/0320.webp", "a/320.webp/x", "../a/320.webp"])(
    "%s is 404",
    async path => {
      things.set("a", "/mug.jpg");
      expect((await get(path)).status).toBe(404);
    },
  );
  test("an unknown thing is 404", async () => {
    expect((await get("b/320.webp")).status).toBe(404);
  });
});

describe("a hostile or broken original is a drawing for a minute, and is not asked for again meanwhile", () => {
  /** A PNG whose header says 20,000 times 20,000 pixels. */
  const bomb = async (): Promise<Buffer> => {
    const png = await colours(10, 10).png().toBuffer();
    png.writeUInt32BE(20_000, 16);
    png.writeUInt32BE(20_000, 20);
    png.writeUInt32BE(crc32(png.subarray(12, 29)), 29);
    return png;
  };
  test.each<[string, () => Promise<Buffer> | Buffer, RegExp]>([
    ["a page", () => Buffer.from("<html>"), /no JPEG/],
    ["a drawing that is a program", () => Buffer.from('<svg xmlns="http://www.w3.org/2000/svg"/>'), /no JPEG/],
    ["nothing", () => Buffer.alloc(0), /no JPEG/],
    ["only the beginning of a type", () => Buffer.from("\u00ff\u00d8\u00ff", "latin1"), /./],
    ["half of an image", async () => (await colours(500, 500).jpeg().toBuffer()).subarray(0, 1_000), /./],
    ["more pixels than are unfolded", bomb, /pixel/i],
    ["more bytes than are read", () => Buffer.alloc(limits.originalBytesMax + 1, 0xff), /more than/],
  ])("%s", async (_what, body, why) => {
    answer.body = await body();
    things.set("a", `${remote}/x.jpg`);
    const { status, type, control } = await get("a/320.webp");
    expect([status, type, control]).toEqual([200, "image/svg+xml", "public, max-age=60, s-maxage=60"]);
    expect(told).toEqual([expect.stringMatching(why)]);
    await get("a/640.avif");
    expect([fetched, told.length]).toEqual([1, 1]);
  });

  test.each<[number, Record<string, string>]>([
    [301, { location: "http://169.254.169.254/latest/meta-data" }],
    [404, {}],
    [500, {}],
  ])("an answer %i", async (status, headers) => {
    answer = { ...answer, status, headers };
    things.set("a", `${remote}/x.jpg`);
    expect((await get("a/320.webp")).type).toBe("image/svg+xml");
    expect(told).toEqual([expect.stringContaining(`answers ${status}`)]);
  });

  test("an address that is not public is not connected to, by number or by name", async () => {
    const strict = await serve({ networks: [] });
    const port = new URL(remote).port;
    for (const address of [`https://127.0.0.1:${port}/x`, `https://localhost:${port}/x`, `http://[::1]:${port}/x`]) {
      things.set("a", address);
      expect((await get("a/320.webp", {}, strict)).type).toBe("image/svg+xml");
    }
    expect(told).toEqual(Array.from({ length: 3 }, () => expect.stringContaining("public address")));
    expect(fetched).toBe(0);
  });

  test.each(["/../secret.jpg", "/%2e%2e/secret.jpg", "/..%2fsecret.jpg", "/none.jpg", "/"])(
    "the file %s",
    async address => {
      writeFileSync(join(folder, "../secret.jpg"), await colours(10, 10).jpeg().toBuffer());
      things.set("a", address);
      expect((await get("a/320.webp")).type).toBe("image/svg+xml");
      rmSync(join(folder, "../secret.jpg"));
    },
  );

  test("a pipe in the folder, which nobody writes to", async () => {
    execFileSync("mkfifo", [join(folder, "pipe")]);
    for (const [id, width] of [
      ["a", 160],
      ["b", 320],
      ["c", 480],
    ] as const) {
      things.set(id, `/pipe?${id}`);
      expect((await get(`${id}/${width}.webp`)).type).toBe("image/svg+xml");
    }
  });

  test("any file, where there is no folder of them", async () => {
    const without = await serve({ folder: undefined });
    things.set("a", "/mug.jpg");
    expect((await get("a/320.webp", {}, without)).type).toBe("image/svg+xml");
    expect(told).toEqual([expect.stringContaining("IMAGE_DIR")]);
  });
});
