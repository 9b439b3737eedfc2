// What can go wrong for a customer, and the way on from each. A journey costs seconds, so that they run in the whole run alone
// (`npm run test:browser`).
import { beforeAll, describe, expect, test } from "@jest/globals";
import type { Page } from "playwright-core";
import { ADMIN } from "../support/peopled-shop.ts";
import type { Shop } from "../support/shop.ts";
import { heading } from "./journeys.ts";
import type { Tab, Visitor } from "./visitor.ts";

interface Place {
  readonly shop: Shop;
  readonly visitor: Visitor;
}
interface Account {
  readonly email: string;
  readonly password: string;
}
interface Product {
  readonly id: string;
  readonly sku: string;
  readonly name: string;
}

/** `place`: known when the tests begin. */
export const storefrontJourneys = (place: () => Place): void =>
  // Each has products of its own, and waits for what a person would see.
  describe("what goes wrong in the shop", () => {
    const isWhole = process.env["BROWSER"] === "all";
    // The ordinary run has no time for them.
    const whole = isWhole ? test : test.skip;
    let token: string;
    let customers = 0;
    beforeAll(async () => void (token = await place().shop.login(ADMIN.email, ADMIN.password)));

    const admin = async (method: string, path: string, body?: object) => {
      const answer = await place().shop.request(method, `/api/v1${path}`, { token, body });
      expect([method, path, answer.status < 300]).toEqual([method, path, true]);
      return answer.body;
    };
    const price = (amount: number) => ({ price: { amount, currency: "EUR" } });
    /** A product of its own, with as many pieces. */
    async function product(name: string, pieces: number): Promise<Product> {
      const sku = name.toUpperCase().replaceAll(" ", "-");
      const made = await admin("POST", "/products", {
        sku,
        name,
        description: "A thing.",
        category: "mugs",
        ...price(1_200),
      });
      await admin("POST", `/inventory/${sku}/receive`, { quantity: pieces });
      return made;
    }
    async function signIn(page: Page, { email, password }: Account): Promise<void> {
      await page.getByLabel("E-mail address").fill(email);
      await page.getByLabel("Password").fill(password);
      await page.getByRole("button", { name: "Sign in" }).click();
    }
    /** A tab of somebody who has just made an account, with nothing in the cart. */
    async function customer(): Promise<{ tab: Tab; account: Account }> {
      const name = `customer-${++customers}`;
      await place().shop.customer(name);
      const account = { email: `${name}@example.org`, password: "correct horse battery" };
      const tab = await place().visitor.tab("guest");
      await tab.page.goto("/sign-in");
      await signIn(tab.page, account);
      await tab.page.getByText(/^Welcome/).waitFor();
      return { tab, account };
    }
    async function add(page: Page, { id }: Product, quantity = 1): Promise<void> {
      await page.goto(`/products/${id}`);
      await page.getByRole("button", { name: "Add to cart" }).waitFor();
      for (let n = 1; n < quantity; n++) await page.getByRole("button", { name: "One more" }).click();
      await page.getByRole("button", { name: "Add to cart" }).click();
      await page.getByRole("button", { name: "See the cart" }).waitFor();
    }
    async function toForm(page: Page, thing: Product): Promise<void> {
      await add(page, thing);
      await page.goto("/checkout");
      await page.getByLabel("Street and number").fill("1 Main St");
      await page.getByLabel("Postal code").fill("N1 9GU");
      await page.getByLabel("Town or city").fill("London");
      await page.getByRole("button", { name: /Order and pay/, disabled: false }).waitFor();
    }
    const order = (page: Page): Promise<void> => page.getByRole("button", { name: /Order and pay/ }).click();
    const sees = (page: Page, text: string | RegExp): Promise<void> => page.getByText(text).first().waitFor();

    whole("the cart names what has changed since: fewer pieces, another price, a product that is gone", async () => {
      const few = await product("Scarce mug", 3);
      const gone = await product("Gone mug", 9);
      const tab = await place().visitor.tab("guest");
      const { page } = tab;
      await add(page, few, 3);
      await add(page, gone);
      await admin("POST", `/inventory/${few.sku}/adjust`, { quantity: -1, reason: "counted" });
      await admin("PATCH", `/products/${few.id}`, price(1_500));
      await admin("DELETE", `/products/${gone.id}`);
      await page.goto("/cart");
      await sees(page, "Only 2 left.");
      await sees(page, "It was €12.00 and is €15.00 now.");
      await sees(page, "No longer in the shop.");
      expect(await page.getByRole("link", { name: "To the checkout" }).count()).toBe(0);
      await page.getByRole("button", { name: "Take 2" }).click();
      await page.getByRole("button", { name: "Remove Gone mug" }).press("Enter");
      // The focus is not lost with the button.
      expect(await page.evaluate("document.activeElement.textContent")).toBe("Cart");
      await page.getByRole("link", { name: "To the checkout" }).waitFor();
      expect(await tab.faults()).toEqual([]);
      await tab.close();
    });

    whole("a line that was removed comes back where it was", async () => {
      const [one, two] = [await product("First mug", 9), await product("Second mug", 9)];
      const tab = await place().visitor.tab("guest");
      const { page } = tab;
      await add(page, one, 2);
      await add(page, two);
      await page.goto("/cart");
      await page.getByRole("button", { name: "Remove First mug" }).click();
      await page.getByRole("button", { name: "Undo" }).click();
      const quantities = page.getByLabel("Quantity", { exact: true });
      await page.getByRole("button", { name: "Remove First mug" }).waitFor();
      expect(await Promise.all([0, 1].map(n => quantities.nth(n).inputValue()))).toEqual(["2", "1"]);
      await tab.close();
    });

    whole("a session that has run out in the checkout takes nothing that was typed", async () => {
      const thing = await product("Patient mug", 9);
      const { tab, account } = await customer();
      const { page } = tab;
      await toForm(page, thing);
      // What a browser does with a cookie whose time is over.
      await page.context().clearCookies();
      await order(page);
      await sees(page, "Sign in to order");
      await page.getByRole("main").getByRole("link", { name: "Sign in" }).click();
      await signIn(page, account);
      await page.getByLabel("Street and number").waitFor();
      expect(await page.getByLabel("Street and number").inputValue()).toBe("1 Main St");
      await page.getByRole("button", { name: /Order and pay/, disabled: false }).waitFor();
      await order(page);
      await heading(page, /confirmed|on its way/);
      await tab.close();
    });

    whole(
      "without a line the order waits, and is placed once when it is back; a page that does not come says so",
      async () => {
        const thing = await product("Lonely mug", 9);
        const { tab } = await customer();
        const { page } = tab;
        await toForm(page, thing);
        await page.context().setOffline(true);
        await sees(page, "You are offline.");
        await order(page);
        await page.getByRole("button", { name: "Ask again" }).waitFor();
        await page.getByRole("link", { name: "See your orders" }).click();
        await sees(page, "This page did not load");
        await page.context().setOffline(false);
        await page.getByRole("button", { name: "Try again" }).click();
        await heading(page, /^Your orders$/);
        await page.goto("/checkout");
        await page.getByRole("button", { name: "Ask again" }).click();
        await heading(page, /confirmed|on its way/);
        await tab.close();
      },
    );

    whole("dearer is agreed to first and named at its line; cheaper is charged as it is", async () => {
      const thing = await product("Moody mug", 9);
      const { tab } = await customer();
      const { page } = tab;
      await toForm(page, thing);
      await admin("PATCH", `/products/${thing.id}`, price(3_000));
      await order(page);
      await sees(page, "The total has changed from €12.00 to €30.00.");
      await sees(page, "It was €12.00 and is €30.00 now.");
      await page.getByRole("button", { name: "Order for €30.00" }).click();
      await heading(page, /confirmed|on its way/);
      await toForm(page, thing);
      await admin("PATCH", `/products/${thing.id}`, price(1_000));
      await order(page);
      await heading(page, /confirmed|on its way/);
      await sees(page, "€10.00");
      await tab.close();
    });

    whole("somebody was faster: the cart is back, and says how many there are", async () => {
      const thing = await product("Wanted mug", 2);
      const { tab } = await customer();
      const { page } = tab;
      await add(page, thing);
      await toForm(page, thing);
      await admin("POST", `/inventory/${thing.sku}/adjust`, { quantity: -1, reason: "counted" });
      await order(page);
      await heading(page, /^Somebody was faster$/);
      await page.getByRole("link", { name: "To the cart" }).click();
      await sees(page, "Only 1 left.");
      expect(await tab.faults()).toEqual([]);
      await tab.close();
    });

    whole("an order is cancelled while its card waits for its owner", async () => {
      const { tab } = await customer();
      const { page } = tab;
      await toForm(page, await product("Doubtful mug", 9));
      await page.getByLabel(/asks its owner/).check();
      await order(page);
      await page.getByRole("button", { name: "Cancel this order" }).click();
      await page.getByRole("button", { name: "Cancel the order" }).click();
      await heading(page, /cancelled/);
      await tab.close();
    });

    whole("a guest's cart joins that of the account, the larger quantity of each, and it is said", async () => {
      const [one, two] = [await product("Left mug", 9), await product("Right mug", 9)];
      const { tab, account } = await customer();
      const { page } = tab;
      await add(page, one, 2);
      await add(page, two, 5);
      await page.goto("/cart");
      await page.getByRole("button", { name: "Sign out" }).click();
      await sees(page, "You are signed out.");
      await add(page, one, 4);
      await add(page, two);
      await page.getByRole("link", { name: "Sign in" }).click();
      await signIn(page, account);
      await sees(page, "Your cart has joined the one of your account: 9 things now.");
      await tab.close();
    });

    whole("too many wrong passwords: until when is said, and the address stays", async () => {
      const tab = await place().visitor.tab("guest");
      const { page } = tab;
      await page.goto("/sign-in");
      const says = page.getByText(/Sign in again after \d/);
      for (let n = 0; n < 20 && (await says.count()) === 0; n++) {
        await signIn(page, { email: "forgetful@example.org", password: `no idea number ${n}` });
        await page.locator("[aria-busy=true]").waitFor({ state: "detached" });
      }
      await says.waitFor();
      expect(await page.getByLabel("E-mail address").inputValue()).toBe("forgetful@example.org");
      await tab.close();
    });

    whole("names, addresses and sums as long as they may be fit a phone", async () => {
      const word = "Donaudampfschifffahrtsgesellschaft".repeat(6).slice(0, 200);
      const thing = await admin("POST", "/products", {
        sku: "LONG-1",
        name: word,
        description: word.repeat(5),
        category: "w".repeat(60),
        ...price(99_999_900),
      });
      await admin("POST", "/inventory/LONG-1/receive", { quantity: 90 });
      const { tab } = await customer();
      const { page } = tab;
      await page.setViewportSize({ width: 360, height: 780 });
      await toForm(page, thing);
      for (const label of ["Name", "Street and number", "Floor, door, company (optional)"])
        await page.getByLabel(label).fill(word);
      expect(await tab.faults()).toEqual([]);
      await order(page);
      await heading(page, /confirmed|on its way/);
      expect(await tab.faults()).toEqual([]);
      for (const path of [`/products/${thing.id}`, "/?sort=-createdAt"]) {
        await page.goto(path);
        await page.locator(".price").first().waitFor();
        expect(await tab.faults()).toEqual([]);
      }
      await add(page, thing, 20);
      await page.goto("/cart");
      await sees(page, "€19,999,980.00");
      expect(await tab.faults()).toEqual([]);
      await tab.close();
    });
  });
