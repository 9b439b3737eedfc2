// The console over a hundred thousand sagas: every question that it asks is answered from an index or a bounded part, and the log says
// in how many milliseconds.
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { until } from "@valence/runtime/testing";
import { ADMIN } from "../support/peopled-shop.ts";
import { Shop } from "../support/shop.ts";
import { stuckOrder } from "./console-journeys.ts";
import { FaultyProvider } from "./faulty-provider.ts";
import { REASONS, writeSagas } from "./many-sagas.ts";
import { Visitor } from "./visitor.ts";

// Takes a minute: an ordinary run counts it as skipped.
const whole = process.env["BROWSER"] === "all" ? describe : describe.skip;
const STUCK = 33_000;
const COMPLETED = 67_000;
/** Sagas of a service that one request looks at. */
const SEARCHED = 20_000;
const CUSTOMER = { email: "ada@example.org", password: "correct horse battery" };
const ACCOUNTS = { customer: CUSTOMER, operator: ADMIN, viewer: ADMIN };

whole("with a hundred thousand sagas", () => {
  let folder: string;
  let provider: FaultyProvider;
  let shop: Shop;
  let visitor: Visitor;
  let token: string;
  /** The saga that is the model of the stuck ones. */
  let model: string;
  const tookMs: Record<string, number> = {};
  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), "many-sagas-"));
    provider = await FaultyProvider.start();
    const admin = { ADMIN_EMAIL: ADMIN.email, ADMIN_PASSWORD: ADMIN.password };
    const settings = { WEB: "on", RATE_LIMIT_PERCENT: "0", PAYMENT_PROVIDER_URL: provider.url };
    shop = await Shop.start({ DATA_DIR: folder, ...admin, ...settings });
    await shop.customer("ada");
    model = `checkout.${await stuckOrder({ shop, provider })}`;
    await timed("written by SQL", async () => {
      writeSagas(join(folder, "checkout.sqlite"), model, { stuck: STUCK, completed: COMPLETED });
    });
    token = await shop.login(ADMIN.email, ADMIN.password);
    const page = { headers: { accept: "text/html" } };
    await until("the pages are built", async () => (await fetch(shop.url, page)).status === 200, 60_000);
    visitor = await Visitor.start({ url: shop.url, ...ACCOUNTS });
  }, 300_000);
  afterAll(async () => {
    console.log(JSON.stringify(tookMs));
    await visitor?.stop();
    await shop?.stop();
    await provider?.stop();
    rmSync(folder, { recursive: true, force: true });
  });

  async function timed<T>(what: string, work: () => Promise<T>): Promise<T> {
    const began = performance.now();
    const answer = await work();
    tookMs[what] = Math.round(performance.now() - began);
    return answer;
  }
  /** What the console asks, and its answer. */
  const ask = (what: string, path: string, more: object = {}): Promise<any> =>
    timed(what, async () => {
      const { status, body } = await shop.request("GET", `/api/v1/ops${path}`, { token, ...more });
      expect([path, status]).toEqual([path, 200]);
      return body;
    });

  test("lists, counts, groups, search, the dry run of a bulk and a file are answered", async () => {
    // Once, for what the first request of its kind compiles.
    await ask("the first list", "/sagas?limit=50");
    const oldest = await ask("list, oldest first", "/sagas?limit=50&detailed=true");
    expect([oldest.sagas.length, oldest.sagas[0].state]).toEqual([50, "stuck"]);
    const newest = await ask("list, newest first", "/sagas?limit=50&detailed=true&order=newest");
    expect(newest.sagas[0].id).toBe(model);
    const ended = await ask("list of those that have ended", "/sagas?state=completed&limit=50&order=newest");
    expect(ended.sagas.length).toBe(50);
    const next = await ask("its next page", `/sagas?state=completed&limit=50&order=newest&cursor=${ended.nextCursor}`);
    expect(next.sagas[0].startedAt < ended.sagas.at(-1).startedAt).toBe(true);
    const ofReason = await ask("list of a reason", `/sagas?state=stuck&reason=${REASONS[1]}&limit=50`);
    expect(ofReason.sagas.map(({ code }: { code: string }) => code)).toEqual(
      Array.from({ length: 50 }, () => REASONS[1]),
    );
    const none = await ask("list of a reason that none has", "/sagas?state=completed&reason=NOTHING&limit=50");
    expect([none.sagas, typeof none.nextCursor]).toEqual([[], "string"]);

    const { counts, isPartial } = await ask("groups", "/saga-counts");
    const sum = counts.reduce((all: number, { sagas }: { sagas: number }) => all + sagas, 0);
    // As many as there is time for, on a busy machine fewer.
    expect([counts.length, sum > 0 && sum <= SEARCHED, isPartial]).toEqual([REASONS.length, true, true]);
    const overview = await ask("overview", "/overview");
    expect(overview.needs.filter(({ kind }: { kind: string }) => kind === "stuck sagas").length).toBe(REASONS.length);

    const { hits } = await ask("search by the beginning of an id", "/search?q=000001f4-5a6a");
    expect(hits.map(({ id }: { id: string }) => id)).toEqual(["checkout.000001f4-5a6a-7000-8000-0000000001f4"]);
    const saga = await ask("one saga", `/sagas/${hits[0].id}`);
    expect([saga.state, saga.can.retry.isPossible]).toEqual(["stuck", true]);

    const body = { reason: REASONS[2], note: "look", dryRun: true, limit: 500 };
    const dry = await timed("dry run of 500", () => shop.request("POST", "/api/v1/ops/sagas/retry", { token, body }));
    expect([dry.status, dry.body.sagas > 0, dry.body.hasMore]).toEqual([200, true, true]);
    tookMs["sagas in the dry run"] = dry.body.sagas;
    const file = await ask("a page of the file", "/sagas?limit=500", { headers: { Accept: "text/csv" } });
    expect(file.split("\r\n").filter(Boolean).length).toBe(501);
    await ask("hints", "/stream?topics=sagas,overview", { headers: { Accept: "application/json" } });
  });

  test("the console shows them, says of what it counted a part, and goes on", async () => {
    const tab = await visitor.tab("operator");
    await timed("the screen with the stuck ones", () =>
      tab.visit({
        name: "sagas",
        path: "/console/sagas?state=stuck",
        as: "operator",
        ready: "[aria-label=Sagas] tbody tr",
      }),
    );
    const { page } = tab;
    await page.getByText("Counted among the oldest of each service: there are more.").waitFor();
    const rows = page.getByRole("table", { name: "Sagas", exact: true }).locator("tbody tr");
    expect(await rows.count()).toBe(50);
    await page.getByRole("button", { name: "Show more" }).press("Enter");
    await until("the next page is there", async () => (await rows.count()) === 100);
    await page.getByLabel("Order").selectOption("newest");
    await page.getByRole("link", { name: model.slice(model.indexOf(".") + 1) }).waitFor();
    expect(await tab.faults()).toEqual([]);
    await tab.close();
  });
});
