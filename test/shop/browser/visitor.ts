// A real browser that visits the pages of a running shop, and looks at each of them as a strict reader does. What a page must
// never have is collected while it is open: errors in the console, blocked by its policy, requests to elsewhere.
import { createRequire } from "node:module";
import { mkdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { chromium, type Browser, type BrowserContext, type Page } from "playwright-core";
import { program } from "@valence/runtime/testing/servers";

export const WIDTHS = [360, 768, 1280] as const;
export const SCHEMES = ["light", "dark"] as const;
export type Width = (typeof WIDTHS)[number];
export type Scheme = (typeof SCHEMES)[number];

/** A page of the pages, and how to see it. */
export interface Screen {
  /** Of its screenshots: `product`. */
  readonly name: string;
  /** Its address, which may depend on what the shop has. */
  readonly path: string | ((shop: Visited) => Promise<string> | string);
  readonly as: "guest" | "customer" | "operator" | "viewer";
  /** A selector of what is there when the page is ready. */
  readonly ready: string;
  /** The page that a person opens first: what it costs to load has a budget. */
  readonly isEntry?: boolean;
  /** What a person does before looking. */
  readonly before?: (page: Page, shop: Visited) => Promise<void>;
}

/** The shop that is visited. */
export interface Visited {
  readonly url: string;
  readonly customer: Account;
  readonly operator: Account;
  /** Looks on, and changes nothing. */
  readonly viewer: Account;
}
export interface Account {
  readonly email: string;
  readonly password: string;
}

/** How a tab differs from the usual one. */
export interface TabOptions {
  /** Origin of the pages; default the shop's. */
  readonly url?: string;
  /** Origins beside it from which something may be loaded. */
  readonly origins?: readonly string[];
  /** False: a browser that runs none. */
  readonly scripts?: boolean;
}

/** Rules of WCAG up to 2.2, A and AA, and what is good practice beyond them. */
const RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"];
const HEIGHTS: Readonly<Record<Width, number>> = { 360: 780, 768: 1_024, 1280: 860 };
/** Milliseconds of a step in the browser: a loaded machine is slow. */
const STEP_MS = 30_000;

export class Visitor {
  readonly #browser: Browser;
  readonly #shop: Visited;
  readonly #axe = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
  /** Cookies and storage of who is signed in, so that a sign-in costs one hash for all pages. */
  readonly #signedIn = new Map<string, Awaited<ReturnType<BrowserContext["storageState"]>>>();

  private constructor(browser: Browser, shop: Visited) {
    this.#browser = browser;
    this.#shop = shop;
  }

  static async start(shop: Visited): Promise<Visitor> {
    const executablePath = program({ name: "chromium", package: "chromium" });
    // Root may not use Chromium's sandbox. The pages are our own.
    const args = ["--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1", "--font-render-hinting=none"];
    return new Visitor(
      await chromium.launch({ executablePath, args, chromiumSandbox: process.getuid?.() !== 0 }),
      shop,
    );
  }

  stop(): Promise<void> {
    return this.#browser.close();
  }

  /** A new tab of a person of this kind. */
  async tab(
    as: Screen["as"],
    width: Width = 1280,
    scheme: Scheme = "light",
    { url = this.#shop.url, origins = [], scripts = true }: TabOptions = {},
  ): Promise<Tab> {
    // What a browser keeps belongs to an origin.
    const name = `${as} ${url}`;
    const known = this.#signedIn.get(name);
    const context = await this.#browser.newContext({
      baseURL: url,
      javaScriptEnabled: scripts,
      viewport: { width, height: HEIGHTS[width] },
      colorScheme: scheme,
      reducedMotion: "reduce",
      locale: "en-GB",
      timezoneId: "Europe/Berlin",
      ...(known && { storageState: known }),
    });
    context.setDefaultTimeout(STEP_MS);
    const tab = await Tab.open(context, this.#shop, this.#axe, [url, ...origins]);
    if (as !== "guest" && !known) {
      await this.#signIn(tab.page, as);
      this.#signedIn.set(name, await context.storageState());
    }
    return tab;
  }

  async #signIn(page: Page, as: Exclude<Screen["as"], "guest">): Promise<void> {
    const { email, password } = this.#shop[as];
    await page.goto(as === "customer" ? "/sign-in" : "/console");
    await page.getByLabel("E-mail address").fill(email);
    await page.getByLabel("Password").fill(password);
    await page.getByRole("button", { name: "Sign in" }).click();
    await page.getByLabel("Password").waitFor({ state: "detached" });
  }
}

/** One open page, with all that has gone wrong in it. */
export class Tab {
  readonly page: Page;
  readonly #context: BrowserContext;
  readonly #shop: Visited;
  readonly #axe: string;
  readonly #wrong: string[] = [];
  /** Bytes that came since the last page was opened, as they were sent. */
  loaded = { scriptBytes: 0, styleBytes: 0 };

  private constructor(page: Page, context: BrowserContext, shop: Visited, axe: string) {
    this.page = page;
    this.#context = context;
    this.#shop = shop;
    this.#axe = axe;
  }

  /** `origins`: from which something may be loaded. */
  static async open(context: BrowserContext, shop: Visited, axe: string, origins: readonly string[]): Promise<Tab> {
    const page = await context.newPage();
    const tab = new Tab(page, context, shop, axe);
    await page.addInitScript(COLLECT);
    page.on("console", message => {
      // A refusal that the page itself tells of is no error of the page.
      if (message.type() === "error" && !/Failed to load resource.* (4\d\d|504)/.test(message.text()))
        tab.#wrong.push(`console: ${message.text()}`);
    });
    page.on("pageerror", error => tab.#wrong.push(`exception: ${error.message}`));
    page.on("request", request => {
      if (!origins.includes(new URL(request.url()).origin)) tab.#wrong.push(`a request to ${request.url()}`);
    });
    page.on("requestfinished", request => void tab.#count(request.resourceType(), request));
    return tab;
  }

  async #count(type: string, request: { sizes(): Promise<{ responseBodySize: number }> }): Promise<void> {
    if (type !== "script" && type !== "stylesheet") return;
    const { responseBodySize } = await request.sizes().catch(() => ({ responseBodySize: 0 }));
    if (type === "script") this.loaded.scriptBytes += responseBodySize;
    else this.loaded.styleBytes += responseBodySize;
  }

  /** Opens the screen, and waits until it is ready. */
  async visit({ path, ready, before }: Screen): Promise<void> {
    this.loaded = { scriptBytes: 0, styleBytes: 0 };
    await this.page.goto(typeof path === "string" ? path : await path(this.#shop));
    await before?.(this.page, this.#shop);
    await this.page.locator(ready).first().waitFor();
    await this.page.evaluate("document.fonts.ready.then(() => undefined)");
  }

  /**
   * Opens the page that is shown once more, as somebody would who comes to it first: what a person did before has loaded parts of other
   * pages.
   */
  async loadAnew(): Promise<void> {
    const client = await this.#context.newCDPSession(this.page);
    await client.send("Network.setCacheDisabled", { cacheDisabled: true });
    this.loaded = { scriptBytes: 0, styleBytes: 0 };
    await this.page.reload({ waitUntil: "networkidle" });
    await client.detach();
  }

  /** Shows the same page in these colours, once they are painted. */
  async show(scheme: Scheme): Promise<void> {
    await this.page.emulateMedia({ colorScheme: scheme });
    await this.page.evaluate("new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))");
  }

  /** Makes the page a phone's on a slow line: 1.6 Mbit/s, 150 ms, a processor of a quarter. */
  async slowDown(): Promise<void> {
    const client = await this.#context.newCDPSession(this.page);
    const line = { offline: false, latency: 150, downloadThroughput: 200_000, uploadThroughput: 93_750 };
    await client.send("Network.emulateNetworkConditions", line);
    await client.send("Emulation.setCPUThrottlingRate", { rate: 4 });
  }

  /** What the load of the page that was opened last took. Milliseconds; the shift of the layout is a score without a unit. */
  paints(): Promise<Paints> {
    return this.page.evaluate(PAINTS);
  }

  /** Everything that is wrong with the page as it is now, as sentences. `rules`: of axe, default all. */
  async faults(rules: readonly string[] = []): Promise<string[]> {
    const { page } = this;
    const [scroll, width] = await page.evaluate<[number, number]>(
      "[document.documentElement.scrollWidth, document.documentElement.clientWidth]",
    );
    const blocked = await page.evaluate<string[]>("window.__blocked ?? []");
    return [
      ...this.#wrong,
      ...(scroll > width ? [`scrolls sideways: ${scroll} px of ${width} px`] : []),
      ...blocked.map(what => `blocked by its policy: ${what}`),
      ...(await this.#unreadable(rules)),
    ];
  }

  /** What axe finds: the rule, and where. It enters by an expression, since the policy refuses its script tag. */
  async #unreadable(rules: readonly string[]): Promise<string[]> {
    await this.page.evaluate(`${this.#axe}; undefined`);
    const { violations } = await this.page.evaluate<{ violations: Violation[] }>(
      `axe.run({ runOnly: ${JSON.stringify(rules.length > 0 ? rules : RULES)} })`,
    );
    return violations.map(
      ({ id, help, nodes }) =>
        `axe ${id}: ${help}, at ${nodes
          .slice(0, 3)
          .map(
            ({ target, failureSummary }) =>
              `${target.join(" ")} (${failureSummary.split("\n").slice(1, 2).join("").trim()})`,
          )
          .join("; ")}`,
    );
  }

  /** A picture of the whole page, `<name>-<width>-<scheme>.png`. */
  async picture(folder: string, name: string): Promise<void> {
    mkdirSync(folder, { recursive: true });
    await this.page.screenshot({ path: join(folder, `${name}.png`), fullPage: true });
  }

  close(): Promise<void> {
    return this.#context.close();
  }
}

interface Violation {
  readonly id: string;
  readonly help: string;
  readonly nodes: readonly { readonly target: readonly string[]; readonly failureSummary: string }[];
}

export interface Paints {
  readonly largestMs: number;
  readonly shift: number;
  /** Milliseconds of the slowest answer to a click or a key, up to its paint; 0 where none took 16 ms. */
  readonly interactionMs: number;
  /** Requests that had begun before the largest element was painted, the page's own among them. */
  readonly requests: number;
}
const PAINTS = `({ ...__paints, requests: 1 + performance.getEntriesByType("resource").filter(({ startTime }) => startTime < __paints.largestMs).length })`;

/** Collects, in the page, what its Content-Security-Policy blocks, and what its load takes. */
const COLLECT = `window.__blocked = [];
window.__paints = { largestMs: 0, shift: 0, interactionMs: 0 };
new PerformanceObserver(list => { for (const { startTime } of list.getEntries()) __paints.largestMs = startTime; })
  .observe({ type: "largest-contentful-paint", buffered: true });
new PerformanceObserver(list => { for (const entry of list.getEntries()) if (!entry.hadRecentInput) __paints.shift += entry.value; })
  .observe({ type: "layout-shift", buffered: true });
new PerformanceObserver(list => { for (const { interactionId, duration } of list.getEntries()) if (interactionId) __paints.interactionMs = Math.max(__paints.interactionMs, duration); })
  .observe({ type: "event", durationThreshold: 16, buffered: true });
addEventListener("securitypolicyviolation", event => __blocked.push(event.violatedDirective + " " + event.blockedURI));`;
