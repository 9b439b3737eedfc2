// What operators do in the console about a shop that is really broken: a record that cannot be read, consumers that stand still
// behind it, a saga that waits. Each row of the console's screens is a journey by keyboard.
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { mkdtempSync, rmSync } from "node:fs";
import { DatabaseSync } from "node:sqlite";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { until } from "@valence/runtime/testing";
import { ADMIN } from "../support/peopled-shop.ts";
import { orderOf, Shop } from "../support/shop.ts";
import { stuckOrder } from "./console-journeys.ts";
import { FaultyProvider } from "./faulty-provider.ts";
import { Keyboard } from "./keyboard.ts";
import { Visitor, type Tab } from "./visitor.ts";

// Takes a minute: an ordinary run counts it as skipped.
const whole = process.env["BROWSER"] === "all" ? describe : describe.skip;
const CUSTOMER = { email: "ada@example.org", password: "correct horse battery" };

whole("a shop that is broken", () => {
  let folder: string;
  let provider: FaultyProvider;
  let shop: Shop;
  let visitor: Visitor;
  let tab: Tab;
  let keys: Keyboard;
  let admin: string;
  /** Orders by what is wrong with them. */
  let stuck: string;
  let unreadable: string;
  const ops = async (path: string): Promise<any> => {
    const { body } = await shop.request("GET", `/api/v1/ops/${path}`, { token: admin });
    return body;
  };
  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), "broken-shop-"));
    provider = await FaultyProvider.start();
    const settings = {
      DATA_DIR: folder,
      ADMIN_EMAIL: ADMIN.email,
      ADMIN_PASSWORD: ADMIN.password,
      WEB: "on",
      RATE_LIMIT_PERCENT: "0",
      TRACE_MEMORY: "on",
      DASHBOARDS_URL: "http://127.0.0.1:9/dashboards",
      PAYMENT_PROVIDER_URL: provider.url,
    };
    shop = await Shop.start(settings);
    const ada = await shop.customer("ada");
    unreadable = await shipped(ada);
    stuck = await stuckOrder({ shop, provider });
    await shop.child.end("SIGTERM");
    damage();
    await shop.start();
    admin = await shop.login(ADMIN.email, ADMIN.password);
    await shop.request("GET", `/api/v1/orders/${unreadable}`, { token: ada });
    await until("consumers stand still", async () => (await ops("dead-letters")).deadLetters.length > 0);
    const page = { headers: { accept: "text/html" } };
    await until("the pages are built", async () => (await fetch(shop.url, page)).status === 200, 60_000);
    visitor = await Visitor.start({ url: shop.url, customer: CUSTOMER, operator: ADMIN, viewer: ADMIN });
    tab = await visitor.tab("operator");
    keys = new Keyboard(tab.page);
  }, 300_000);
  afterAll(async () => {
    await visitor?.stop();
    await shop?.stop();
    await provider?.stop();
    rmSync(folder, { recursive: true, force: true });
  });

  async function shipped(token: string): Promise<string> {
    const { body: products } = await shop.request("GET", "/api/v1/products?pageSize=1");
    const body = orderOf([{ productId: products.rows[0].id, quantity: 1 }]);
    const { body: order } = await shop.request("POST", "/api/v1/orders", { token, body });
    await until("the order has shipped", async () => {
      const { body: shown } = await shop.request("GET", `/api/v1/orders/${order.id}`, { token });
      return shown.status === "shipped";
    });
    return order.id;
  }
  /** Appends an event whose data is cut off, as a disk may leave it. */
  function damage(): void {
    change(database => {
      const { id } = database.prepare("select id from streams where name = ?").get(`order.${unreadable}`)!;
      database.prepare("update streams set version = version + 1 where id = ?").run(id!);
      database
        .prepare(
          `insert into events (stream, version, type, schema_version, data, metadata, recorded_at)
           select id, version, 'order.cancelled', 1, '{"reason":', '{}', ? from streams where id = ?`,
        )
        .run(Date.now(), id!);
    });
  }
  const mend = (): void =>
    change(database => {
      const mended = '{"reason":"mended by hand"}';
      database.prepare(`update events set data = ? where data = '{"reason":'`).run(mended);
    });
  function change(how: (database: DatabaseSync) => void): void {
    const database = new DatabaseSync(join(folder, "orders.sqlite"), { timeout: 10_000 });
    how(database);
    database.close();
  }

  const open = (path: string, ready: string): Promise<void> =>
    tab.visit({ name: path, path: `/console${path}`, as: "operator", ready });
  const heading = (name: string): Promise<void> =>
    tab.page.getByRole("heading", { level: 1, name, exact: true }).waitFor();
  const sees = (text: string | RegExp): Promise<void> => tab.page.getByText(text).first().waitFor();
  /** Says why, and presses the dialog's button. */
  async function confirm(note: string, button: string): Promise<void> {
    await tab.page.getByRole("dialog").waitFor();
    await keys.reach("Note");
    await keys.type(note);
    await keys.enter(button);
    await tab.page.getByRole("dialog").waitFor({ state: "detached" });
  }

  test("Overview: all that needs a person is there, each leads to its screen", async () => {
    await open("", ".table");
    for (const kind of ["stuck sagas", "dead letters", "quarantined actors"])
      await tab.page.getByRole("cell", { name: kind }).first().waitFor();
    await sees("The last 15 minutes");
    await keys.enter(/^records of orders cannot be read/);
    await heading("Quarantine");
    expect(await tab.faults()).toEqual([]);
  });

  test("Quarantine: the record is mended, its actor released, and the list is empty", async () => {
    await open("/quarantine", ".table");
    await sees(`order ${unreadable}`);
    mend();
    await keys.enter("Release this actor");
    await confirm("Mended by hand.", "Release this actor");
    await sees("No actor is in quarantine");
  });

  test("Dead letters: one is read, its group retried, and what others retry is seen by itself", async () => {
    await open("/letters", "article");
    await sees("EVENT_BROKEN");
    await keys.enter("The event");
    const groups = tab.page.getByRole("table", { name: "Dead letters by consumer and error" }).locator("tbody tr");
    const before = await groups.count();
    await keys.enter(/^Retry 1 stream$/);
    await sees(/^letters retry --service/);
    await confirm("The record is mended.", "Retry them");
    await until("the group is gone", async () => (await groups.count()) < before || (await ended()));
    await shop.request("POST", "/api/v1/ops/dead-letters/retry", { token: admin, body: { note: "the others too" } });
    await until("no letter is left", async () => (await ops("dead-letters")).deadLetters.length === 0);
    // Rows that go wait for a click.
    await until("the page says so, and shows it when it is asked to", async () => {
      if ((await waiting().count()) > 0) await waiting().press("Enter");
      return ended();
    });
  });
  const waiting = () => tab.page.getByRole("button", { name: "Show what has changed" });
  const ended = async (): Promise<boolean> => (await tab.page.getByText("All events are delivered").count()) > 0;

  test("Projections: one is rebuilt under a bar, and is live again", async () => {
    await open("/projections", ".table");
    await keys.reach("Rebuild");
    await keys.press("Enter");
    await confirm("To be sure.", "Rebuild customers");
    await until("its second build is live", async () => {
      const { projections } = await ops("projections");
      return projections.some((one: any) => one.name === "customers" && one.build > 1 && one.state === "live");
    });
    await until("the page says it", async () => {
      if ((await waiting().count()) > 0) await waiting().press("Enter");
      const row = tab.page.getByRole("row", { name: /customers.*build 2/ });
      return (await row.count()) > 0 && /live/.test((await row.first().textContent()) ?? "");
    });
    expect(await tab.faults()).toEqual([]);
  });

  test("Sagas, Saga: the stuck one is found, understood and mended, and the page shows the new state", async () => {
    const began = performance.now();
    const fresh = new Keyboard(tab.page);
    await open("", ".table");
    await fresh.enter(/^checkout is stuck with PAYMENT_VOIDED/);
    await heading("Sagas");
    await tab.page.getByRole("link", { name: stuck }).waitFor();
    await fresh.enter(`checkout ${stuck}`);
    await heading("Saga");
    await sees("payments.capture with PAYMENT_VOIDED");
    await tab.page.getByRole("button", { name: "Take this saga back" }).waitFor();
    await fresh.enter("Take this saga back");
    await sees(/^saga checkout\..* compensate --past-pivot/);
    await fresh.reach("I know, take it back");
    await fresh.press("Space");
    await fresh.reach("Note");
    await fresh.type("The customer was told.");
    await fresh.enter("Take this saga back");
    await tab.page.locator(".standing.compensated").waitFor();
    const tookS = Math.round((performance.now() - began) / 100) / 10;
    console.log(`a stuck saga was mended in ${tookS} s, with ${fresh.acts} acts and ${fresh.tabs} steps by Tab`);
  });

  test("Actors: an order is found by its id, walked through its versions, and shown as a command", async () => {
    await open("/search", "input");
    await keys.reach("An id, or the beginning of one");
    await keys.type(unreadable);
    await tab.page.getByRole("link", { name: new RegExp(`^order ${unreadable}`) }).waitFor();
    await keys.enter(new RegExp(`^order ${unreadable}`));
    await heading("order");
    await keys.enter("One back");
    await sees("the past");
    await sees("What its event changed");
    await keys.enter("Copy as command");
    await sees(new RegExp(`Copied|actor order ${unreadable}`));
    expect(await tab.faults()).toEqual([]);
  });

  test("Nodes, Metrics, Traces: what runs, how busy it is, what failed", async () => {
    await open("/nodes", "details .table");
    await sees("there");
    await sees(/MiB/);
    await open("/metrics", ".charts, .empty");
    await tab.page.getByRole("link", { name: "Dashboards" }).waitFor();
    await open("/traces", ".table, .empty");
    const { traces } = await ops("traces");
    if (traces.length > 0) {
      await keys.enter(traces[0].name);
      await heading("Trace");
      await tab.page.locator(".waterfall li").first().waitFor();
    }
    expect(await tab.faults()).toEqual([]);
  });

  test("Shop: a price is changed, and goods are received", async () => {
    await open("/shop?tab=products", ".table");
    await keys.enter(/^Edit /);
    await tab.page.getByRole("dialog").waitFor();
    await keys.reach(/^Price in /);
    await keys.press("Control+a");
    await keys.type("12,50");
    await keys.enter("Change the product");
    await sees(/ costs €12\.50\./);
    await open("/shop?tab=stock", ".table");
    await keys.enter(/^Receive /);
    await keys.reach("Pieces");
    await keys.type("7");
    await keys.enter("Book them in");
    await sees(/ are available\./);
  });

  test("Settings: what is configured is there without its secrets, and the archive is tried before it is done", async () => {
    await open("/settings", "[aria-label=Configuration] .table");
    await sees("RATE_LIMIT_PERCENT");
    expect(await tab.page.getByText(ADMIN.password).count()).toBe(0);
    await keys.reach("Days since the last event");
    await keys.press("Control+a");
    await keys.type("0");
    await keys.enter("Try it without doing it");
    await sees(/ would go/);
    const button = tab.page.getByRole("button", { name: /^Archive \d/ });
    if ((await button.count()) > 0) {
      const name = (await button.textContent())!.trim();
      await keys.enter(name);
      await tab.page.getByRole("dialog").waitFor();
      await keys.reach("Note");
      await keys.type("Old ones.");
      await keys.enter("Archive them");
      await sees("Type order, as it stands here.");
      await keys.reach("Type order");
      await keys.type("order");
      await keys.enter("Archive them");
      await sees(/streams are archived/);
    }
    expect(await tab.faults()).toEqual([]);
  });

  test("Activity: who did what, why, and how it went, narrowed by its outcome", async () => {
    await open("/activity?outcome=done", ".table");
    for (const note of ["Mended by hand.", "The record is mended.", "To be sure.", "The customer was told."])
      await sees(note);
    await keys.reach("Outcome");
    await tab.page.getByLabel("Outcome").selectOption("failed");
    await tab.page.locator(".empty, tbody tr").first().waitFor();
    await until(
      "those that went well are not shown",
      async () => (await tab.page.getByText("To be sure.").count()) === 0,
    );
    expect(await tab.faults()).toEqual([]);
  });
});
