// `/docs` in a real browser: it shows the operations under its strict policy, loads nothing from elsewhere, and its try-it
// works.
import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { newId } from "../../kernel/index.ts";
import { Browser } from "../../testing/servers.ts";
import { startLibrary, type Library } from "../library.fixture.ts";

type Page = Awaited<ReturnType<Browser["open"]>>;

let gateway: Library;
let browser: Browser;
/** The URL by address: Chromium resolves no name. */
let origin: string;
beforeAll(async () => {
  // The browser is not at the address that clients use.
  const exchange = async () => ({ token: await gateway.token(newId(), ["reader", "admin"]) });
  const answers = { "accounts.exchange": exchange };
  gateway = await startLibrary(answers, [], { PUBLIC_URL: "https://library.example" });
  origin = `http://127.0.0.1:${gateway.port}`;
  browser = await Browser.start();
}, 300_000);
afterAll(async () => {
  await browser?.stop();
  await gateway?.stop();
});

const count = (selector: string): string => `document.querySelectorAll(${JSON.stringify(selector)}).length`;
const operationsFor = async (token?: string): Promise<number> => {
  const { json } = await gateway.http("GET", "/openapi.json", token === undefined ? {} : { token });
  return Object.values<object>(json.paths).flatMap(methods => Object.keys(methods)).length;
};

/** Tries an operation that is for people, and gives back what the page shows of the answer. */
async function answerOfShelf(page: Page): Promise<string> {
  const shelf = "#operations-shelves-getShelf";
  await page.click(`${shelf} .opblock-summary-control`);
  await page.click(`${shelf} .try-out__btn`);
  await page.click(`${shelf} .execute`);
  await page.until(`${count(`${shelf} .live-responses-table .response`)} > 0`);
  return page.evaluate(`document.querySelector("${shelf} .live-responses-table .response").innerText`);
}

test("the page shows every operation, calls only this origin, and its policy blocks nothing of it", async () => {
  const page = await browser.open(`${origin}/docs`);
  await page.until(`${count(".opblock-tag")} > 0`);
  for (let n = await page.evaluate<number>(count(".opblock-tag")); n > 0; n--)
    await page.click('[data-is-open="false"]');
  await page.until(`${count(".opblock")} === ${await operationsFor()}`);
  expect(await page.blocked()).toEqual([]);
  expect(page.errors).toEqual([]);
  const elsewhere = page.requests.filter(url => !url.startsWith(`${origin}/`) && !url.startsWith("data:"));
  expect([page.requests.length > 4, elsewhere]).toEqual([true, []]);
  // The check is worth something only if the policy would block: an inline script is.
  await page.evaluate(
    `document.head.append(Object.assign(document.createElement("script"), { text: "window.ran = 1" }))`,
  );
  expect(await page.blocked()).toEqual(["script-src-elem inline"]);
  expect(await page.evaluate("window.ran ?? null")).toBeNull();
}, 120_000);

test("an operation can be tried with a token, and the token shows the operations of its user", async () => {
  const page = await browser.open(`${origin}/docs`);
  const token = await gateway.token(newId(), ["reader", "admin"]);
  await page.click("button.authorize");
  await page.fill(".auth-container input", token);
  await page.click(".auth-btn-wrapper .authorize");
  await page.click(".btn-done");
  await page.until(`${count('.opblock-tag[data-tag="books"]')} === 1`);
  for (let n = await page.evaluate<number>(count(".opblock-tag")); n > 0; n--)
    await page.evaluate(`document.querySelector('[data-is-open="false"]')?.click()`);
  await page.until(`${count(".opblock")} === ${await operationsFor(token)}`);

  expect(await answerOfShelf(page)).toMatch(/^200[^]*"items": \[\]/);
  expect(gateway.reached.at(-1)).toMatchObject({ action: "shelves.get" });
  expect(await page.blocked()).toEqual([]);
}, 120_000);

test("the page is signed in by the session of its browser, the one that its address names", async () => {
  // Chromium holds 127.0.0.1 for safe enough to take a secure cookie.
  const page = await browser.open(`${origin}/problems/not-found`);
  await page.evaluate(`document.cookie = "__Host-valence-desk=${"v".repeat(43)}; Secure; Path=/"`);
  for (const [path, token] of [
    ["/docs", undefined],
    ["/docs?session=desk", await gateway.token(newId(), ["reader", "admin"])],
  ] as const) {
    await page.show(origin + path);
    await page.until(`${count(".opblock-tag")} > 0`);
    await page.evaluate(`document.querySelectorAll('[data-is-open="false"]').forEach(tag => tag.click())`);
    await page.until(`${count(".opblock")} === ${await operationsFor(token)}`);
  }
  expect(await answerOfShelf(page)).toMatch(/^200/);
}, 120_000);

test("files of the page are kept for a year under the URL of their version, and compressed; the page is asked for", async () => {
  const { headers, text } = await gateway.http("GET", "/docs");
  expect(headers.get("cache-control")).toBe("no-cache");
  const [bundle] = /\/docs\/[\d.]+\/swagger-ui-bundle\.js/.exec(text)!;
  const script = await gateway.http("GET", bundle, { headers: { "accept-encoding": "gzip" } });
  expect(script.headers.get("cache-control")).toBe("public, max-age=31536000, immutable");
  expect(script.headers.get("content-encoding")).toBe("gzip");
  expect(script.headers.get("content-type")).toBe("text/javascript; charset=utf-8");
  const again = await gateway.http("GET", bundle, { headers: { "if-none-match": script.headers.get("etag")! } });
  expect([again.status, again.text]).toEqual([304, ""]);
  expect((await gateway.http("GET", "/docs/9.9.9/swagger-ui-bundle.js")).status).toBe(404);
  const api = await gateway.http("GET", "/openapi.json");
  expect(api.headers.get("content-security-policy")).toBe("default-src 'none'; frame-ancestors 'none'");
});
