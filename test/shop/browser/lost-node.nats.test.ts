// The console while nodes come and go: what a lost node had is named, not left out; while its own server is away the console says so,
// and it comes back by itself.
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { until } from "@valence/runtime/testing";
import { Child, Nats } from "@valence/runtime/testing/servers";
import { ADMIN } from "../support/peopled-shop.ts";
import { Shop } from "../support/shop.ts";
import { Visitor, type Tab } from "./visitor.ts";

// Takes a minute: an ordinary run counts it as skipped.
const whole = process.env["BROWSER"] === "all" ? describe : describe.skip;
const OTHERS =
  "accounts,api,audit,carts,catalog,checkout,integrations,inventory,notifications,ops,orders,payments,seed,shipping";
const NOBODY = { email: "ada@example.org", password: "correct horse battery" };
/** Milliseconds: a node is taken for lost some seconds after its last word. */
const LOST_MS = 60_000;

whole("of two nodes", () => {
  let folder: string;
  let nats: Nats;
  let shop: Shop;
  let views: Child;
  let visitor: Visitor;
  let tab: Tab;
  let env: Record<string, string>;
  const startViews = (): Child =>
    new Child(["mixins/cli/valence.mjs", "start"], { ...env, NODEID: "views", SERVICES: "order-views" });
  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), "lost-node-"));
    nats = await Nats.start();
    env = { DATA_DIR: folder, NATS_URL: nats.url, LOGLEVEL: "warn" };
    views = startViews();
    const admin = { ADMIN_EMAIL: ADMIN.email, ADMIN_PASSWORD: ADMIN.password };
    shop = await Shop.start({
      ...env,
      ...admin,
      NODEID: "front",
      SERVICES: OTHERS,
      WEB: "on",
      RATE_LIMIT_PERCENT: "0",
    });
    const token = await shop.login(ADMIN.email, ADMIN.password);
    await until("the two see each other", async () => {
      const { body } = await shop.request("GET", "/api/v1/ops/projections", { token });
      return body.projections.length > 0;
    });
    const page = { headers: { accept: "text/html" } };
    await until("the pages are built", async () => (await fetch(shop.url, page)).status === 200, 60_000);
    visitor = await Visitor.start({ url: shop.url, customer: NOBODY, operator: ADMIN, viewer: ADMIN });
    tab = await visitor.tab("operator");
  }, 300_000);
  afterAll(async () => {
    await visitor?.stop();
    await views?.end("SIGKILL");
    await shop?.stop();
    await nats?.stop();
    rmSync(folder, { recursive: true, force: true });
  });

  const state = (word: string): Promise<void> =>
    tab.page.locator(".live").getByText(word).waitFor({ timeout: LOST_MS });
  const sees = (text: string | RegExp): Promise<void> => tab.page.getByText(text).first().waitFor({ timeout: LOST_MS });

  test("one that is killed is missed at once, and its services are named where their rows were", async () => {
    await tab.visit({ name: "projections", path: "/console/projections", as: "operator", ready: ".table" });
    await sees("order-list");
    await state("live");
    await views.end("SIGKILL");
    await sees("No answer from order-views");
    await tab.page.getByRole("button", { name: "Show what has changed" }).press("Enter");
    await sees("This is not everything.");
    await tab.visit({ name: "overview", path: "/console", as: "operator", ready: ".table" });
    await sees("silent nodes");
    await tab.visit({ name: "nodes", path: "/console/nodes", as: "operator", ready: ".table" });
    await sees("missing");
    expect(await tab.faults()).toEqual([]);

    views = startViews();
    await tab.page.getByRole("row", { name: /views.*there/ }).waitFor({ timeout: LOST_MS });
  }, 180_000);

  test("while the server of the console is away it says so, and comes back by itself", async () => {
    await tab.visit({ name: "nodes", path: "/console/nodes", as: "operator", ready: ".table" });
    await state("live");
    await shop.child.end("SIGKILL");
    await state("reconnecting");
    // What was read stays, and can be read again once the server is back.
    expect(await tab.page.getByRole("row", { name: /front/ }).count()).toBe(1);
    await shop.start();
    await state("live");
    await tab.page.getByRole("button", { name: "Read again" }).press("Enter");
    await sees("Read just now");
  }, 180_000);
});
