// What operators do in the console, in the browser, by keyboard alone.
import { beforeAll, describe, expect, test } from "@jest/globals";
import { until } from "@valence/runtime/testing";
import { ADMIN } from "../support/peopled-shop.ts";
import { orderOf, type Shop } from "../support/shop.ts";
import type { FaultyProvider } from "./faulty-provider.ts";
import { Keyboard } from "./keyboard.ts";
import type { Tab, Visitor } from "./visitor.ts";

interface Place {
  readonly shop: Shop;
  readonly visitor: Visitor;
  readonly provider: FaultyProvider;
}

/** `place`: known when the tests begin. */
export const consoleJourneys = (place: () => Place): void =>
  describe("a saga is stuck", () => {
    /** Of the order, its payment and, behind its name, its saga. */
    let id: string;
    beforeAll(async () => void (id = await stuckOrder(place())));

    // Six screens: the ordinary run has no time for them.
    const whole = process.env["BROWSER"] === "all" ? test : test.skip;
    whole("an onlooker sees all of it, and no button that changes something", async () => {
      const tab = await place().visitor.tab("viewer");
      const screens = ["", "/sagas", `/sagas/checkout.${id}`, "/letters", "/quarantine", "/projections"];
      for (const path of screens) {
        await tab.visit({ name: "any", path: `/console${path}`, as: "viewer", ready: ".table, .empty, .card" });
        const buttons = await tab.page.getByRole("main").getByRole("button").allTextContents();
        expect([path, buttons.filter(text => text !== "Read again")]).toEqual([path, []]);
      }
      expect(await tab.page.getByRole("alert").allTextContents()).toEqual([]);
      await tab.close();
    });

    test("an operator finds it, understands it, takes it back with a note, and finds what they did", async () => {
      const tab = await place().visitor.tab("operator");
      const keys = new Keyboard(tab.page);
      await tab.visit({ name: "overview", path: "/console", as: "operator", ready: ".table" });
      await keys.enter(/^checkout is stuck with PAYMENT_VOIDED/);
      await heading(tab, "Sagas");
      await tab.page.getByRole("link", { name: id }).waitFor();
      await keys.enter(`checkout ${id}`);
      await heading(tab, "Saga");
      await sees(tab, "payments.capture with PAYMENT_VOIDED");

      await keys.enter(`payment ${id}`);
      await heading(tab, "payment");
      await sees(tab, "payment.authorized");
      await tab.page.goBack();
      await heading(tab, "Saga");

      await tab.page.getByRole("button", { name: "Take this saga back" }).waitFor();
      await keys.enter("Take this saga back");
      await keys.reach("I know, take it back");
      await keys.press("Space");
      await keys.reach("Note");
      await keys.type("The card's bank let it expire; Ada knows.");
      await keys.enter("Take this saga back");
      await tab.page.locator(".standing.compensated").waitFor();
      await sees(tab, "The card's bank let it expire; Ada knows.");
      expect(await tab.faults()).toEqual([]);

      await keys.press("Control+k");
      await tab.page.getByRole("combobox", { name: /^A screen/ }).waitFor();
      await keys.type("activ");
      await keys.press("Enter");
      await heading(tab, "Activity");
      await sees(tab, "The card's bank let it expire; Ada knows.");
      await tab.close();
    });
  });

/** An order that is confirmed, and whose authorization was lost before the money was taken. */
export async function stuckOrder({ shop, provider }: Pick<Place, "shop" | "provider">): Promise<string> {
  provider.voidsNext = 1;
  const token = await shop.login("ada@example.org", "correct horse battery");
  const { body: products } = await shop.request("GET", "/api/v1/products?pageSize=1");
  const order = orderOf([{ productId: products.rows[0].id, quantity: 2 }]);
  const { body } = await shop.request("POST", "/api/v1/orders", { token, body: order });
  const admin = await shop.login(ADMIN.email, ADMIN.password);
  await until("its saga is stuck", async () => {
    const { body: saga } = await shop.request("GET", `/api/v1/ops/sagas/checkout.${body.id}`, { token: admin });
    return saga.state === "stuck";
  });
  return body.id;
}

const heading = (tab: Tab, name: string): Promise<void> =>
  tab.page.getByRole("heading", { level: 1, name, exact: true }).waitFor();
const sees = (tab: Tab, text: string): Promise<void> => tab.page.getByText(text).first().waitFor();
