// A person without a mouse: reaches what there is by Tab, and sees where they are by the focus alone.
import type { Page } from "playwright-core";

/** Steps from one end of a large screen to the other, twice. */
const STEPS_MAX = 200;

/** Name of what has the focus: its label, else its words. */
const FOCUSED = `(() => {
  const at = document.activeElement;
  if (!at || at === document.body) return "";
  const label = at.getAttribute("aria-label") ?? at.labels?.[0]?.textContent;
  return (label ?? at.textContent ?? "").replace(/\\s+/g, " ").trim();
})()`;

export class Keyboard {
  readonly #page: Page;
  /** Keys that did something, texts that were typed; and steps from one thing to the next. */
  acts = 0;
  tabs = 0;
  constructor(page: Page) {
    this.#page = page;
  }

  focused(): Promise<string> {
    return this.#page.evaluate<string>(FOCUSED);
  }

  press(key: string): Promise<void> {
    if (key === "Tab") this.tabs++;
    else this.acts++;
    return this.#page.keyboard.press(key);
  }

  type(text: string): Promise<void> {
    this.acts++;
    return this.#page.keyboard.type(text);
  }

  /** Presses Tab until what is named so has the focus. */
  async reach(name: string | RegExp): Promise<void> {
    const passed: string[] = [];
    for (let n = 0; n < STEPS_MAX; n++) {
      const at = await this.focused();
      if (typeof name === "string" ? at === name : name.test(at)) return;
      passed.push(at);
      await this.press("Tab");
    }
    throw new Error(`Tab does not reach ${name}; it passes ${[...new Set(passed)].join(" | ")}`);
  }

  /** Follows a link, or presses a button. */
  async enter(name: string | RegExp): Promise<void> {
    await this.reach(name);
    await this.press("Enter");
  }
}
