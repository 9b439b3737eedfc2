// What a customer does, by keyboard alone. Each step waits for what a person would see.
import type { Page } from "playwright-core";

/** Moves the focus on until it is on what has this name; so a person without a mouse gets there. */
export async function tabTo(page: Page, name: RegExp): Promise<void> {
  const seen: string[] = [];
  for (let n = 0; n < STEPS_MAX; n++) {
    await page.keyboard.press("Tab");
    const at = await page.evaluate<string>(NAME);
    if (name.test(at)) return;
    seen.push(at);
  }
  throw new Error(`no way by Tab to ${name}; passed: ${seen.join(" | ")}`);
}
const STEPS_MAX = 80;
/** The name of what has the focus: its label, or its words. */
const NAME = `(({ activeElement: at }) => at.ariaLabel ?? at.labels?.[0]?.textContent ?? at.textContent ?? "")(document)`;

export async function press(page: Page, name: RegExp): Promise<void> {
  await tabTo(page, name);
  await page.keyboard.press("Enter");
}
export async function type(page: Page, name: RegExp, text: string): Promise<void> {
  await tabTo(page, name);
  await page.keyboard.type(text);
}
export const heading = (page: Page, name: RegExp): Promise<void> =>
  page.getByRole("heading", { level: 1, name }).waitFor();

/** From the front page to the checkout, with one product of this search in the cart. Nobody is signed in, or somebody is. */
export async function toCheckout(page: Page, search: string): Promise<void> {
  await page.goto("/");
  await type(page, /^Search the shop$/, search);
  await page.keyboard.press("Enter");
  await heading(page, new RegExp(search));
  await page
    .getByRole("heading", { level: 2, name: new RegExp(search) })
    .first()
    .waitFor();
  await press(page, new RegExp(search));
  await page.getByRole("button", { name: "Add to cart" }).waitFor();
  await press(page, /^Add to cart$/);
  await press(page, /^See the cart$/);
  await heading(page, /^Cart$/);
  await press(page, /^To the checkout$/);
  await heading(page, /^Checkout$/);
}

export async function typeAddress(page: Page): Promise<void> {
  await page.getByLabel("Street and number").waitFor();
  await type(page, /^Street and number$/, "1 Main St");
  await type(page, /^Postal code/, "N1 9GU");
  await type(page, /^Town or city$/, "London");
}
