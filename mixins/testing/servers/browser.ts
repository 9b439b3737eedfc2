// A headless Chromium for tests of pages, driven by its own protocol. It reaches 127.0.0.1 and nothing else.
import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { until } from "../until.ts";
import { program } from "./programs.ts";

const CHROMIUM = { name: "chromium", package: "chromium" };
const FLAGS = [
  "--headless=new",
  "--disable-gpu",
  "--disable-dev-shm-usage",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--remote-debugging-port=0",
  "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
  // Root may not use Chromium's sandbox. The pages are our own.
  ...(process.getuid?.() === 0 ? ["--no-sandbox"] : []),
];
/** Milliseconds of a start, and of an answer of the browser: a busy machine takes ten times what a quiet one does. */
const START_MS = 60_000;
const ANSWER_MS = 30_000;

export class Browser {
  readonly #process: ChildProcess;
  readonly #folder: string;
  readonly #url: string;

  private constructor(process: ChildProcess, folder: string, url: string) {
    this.#process = process;
    this.#folder = folder;
    this.#url = url;
  }

  static async start(): Promise<Browser> {
    const folder = mkdtempSync(join(tmpdir(), "chromium-"));
    const args = [...FLAGS, `--user-data-dir=${folder}`, "about:blank"];
    const child = spawn(program(CHROMIUM), args, { cwd: folder, stdio: ["ignore", "ignore", "pipe"] });
    let said = "";
    child.stderr.on("data", chunk => (said += String(chunk)));
    const address = (): string | undefined => /DevTools listening on (ws:\S+)/.exec(said)?.[1];
    await until(
      "Chromium listens",
      () => {
        if (child.exitCode !== null) throw new Error(`Chromium did not start:\n${said}`);
        return address() !== undefined;
      },
      START_MS,
    );
    return new Browser(child, folder, address()!);
  }

  /** A new page, which has shown this address. */
  async open(url: string): Promise<Page> {
    const page = await Page.connect(this.#url);
    await page.show(url);
    return page;
  }

  async stop(): Promise<void> {
    if (this.#process.exitCode === null) {
      const exit = once(this.#process, "exit");
      this.#process.kill("SIGKILL");
      await exit;
    }
    // Its helpers write for a moment after it.
    rmSync(this.#folder, { recursive: true, force: true, maxRetries: 10 });
  }
}

interface Message {
  readonly id?: number;
  readonly method?: string;
  readonly params?: any;
  readonly result?: any;
  readonly error?: { readonly message: string };
}

/** Collects, in the page, what its Content-Security-Policy blocks. */
const COLLECT = `window.__blocked = [];
addEventListener("securitypolicyviolation", event => __blocked.push(event.violatedDirective + " " + event.blockedURI));`;

export class Page {
  /** URLs that the page has asked for, its own among them. */
  readonly requests: string[] = [];
  /** Errors that the console has shown, and exceptions that nobody caught. */
  readonly errors: string[] = [];
  readonly #socket: WebSocket;
  readonly #waiting = new Map<number, PromiseWithResolvers<any>>();
  #session: string | undefined;
  #ids = 0;

  private constructor(socket: WebSocket) {
    this.#socket = socket;
    socket.addEventListener("message", ({ data }) => this.#take(JSON.parse(String(data)) as Message));
  }

  static async connect(url: string): Promise<Page> {
    const socket = new WebSocket(url);
    await once(socket as unknown as NodeJS.EventEmitter, "open");
    const page = new Page(socket);
    const { targetId } = await page.#send("Target.createTarget", { url: "about:blank" });
    page.#session = (await page.#send("Target.attachToTarget", { targetId, flatten: true })).sessionId;
    for (const domain of ["Page", "Runtime", "Network", "Log"]) await page.#send(`${domain}.enable`);
    await page.#send("Page.addScriptToEvaluateOnNewDocument", { source: COLLECT });
    return page;
  }

  async show(url: string): Promise<void> {
    await this.#send("Page.navigate", { url });
    await this.until("document.readyState === 'complete'");
  }

  /** The value of an expression in the page; a promise is awaited. Rejects with the message of what it throws. */
  async evaluate<T = unknown>(expression: string): Promise<T> {
    const { result, exceptionDetails } = await this.#send("Runtime.evaluate", {
      expression,
      awaitPromise: true,
      returnByValue: true,
    });
    if (exceptionDetails) throw new Error(exceptionDetails.exception?.description ?? exceptionDetails.text);
    return result.value as T;
  }

  /** Resolves when the expression is true in the page. */
  async until(expression: string): Promise<void> {
    await until(`${expression} in the page`, async () => Boolean(await this.evaluate(expression)), ANSWER_MS);
  }

  /** Clicks the element, once it is there. */
  async click(selector: string): Promise<void> {
    const element = `document.querySelector(${JSON.stringify(selector)})`;
    await this.until(`${element} !== null`);
    await this.evaluate(`${element}.click()`);
  }

  /** Fills a field in as typing does: a framework that keeps the value itself hears of it. */
  async fill(selector: string, text: string): Promise<void> {
    const element = `document.querySelector(${JSON.stringify(selector)})`;
    await this.until(`${element} !== null`);
    await this.evaluate(`(field => {
      Object.getOwnPropertyDescriptor(Object.getPrototypeOf(field), "value").set.call(field, ${JSON.stringify(text)});
      field.dispatchEvent(new Event("input", { bubbles: true }));
    })(${element})`);
  }

  /** What the page's Content-Security-Policy has blocked. */
  blocked(): Promise<string[]> {
    return this.evaluate("__blocked");
  }

  async #send(method: string, params: object = {}): Promise<any> {
    const id = ++this.#ids;
    const answer = Promise.withResolvers<any>();
    this.#waiting.set(id, answer);
    this.#socket.send(JSON.stringify({ id, method, params, ...(this.#session && { sessionId: this.#session }) }));
    const late = setTimeout(() => answer.reject(new Error(`Chromium does not answer ${method}`)), ANSWER_MS);
    return answer.promise.finally(() => clearTimeout(late));
  }

  #take({ id, method, params, result, error }: Message): void {
    if (id !== undefined) {
      const answer = this.#waiting.get(id);
      this.#waiting.delete(id);
      if (error) answer?.reject(new Error(error.message));
      else answer?.resolve(result);
    } else if (method === "Network.requestWillBeSent") this.requests.push(params.request.url);
    else if (method === "Runtime.exceptionThrown") this.errors.push(params.exceptionDetails.exception?.description);
    else if (method === "Log.entryAdded" && params.entry.level === "error") this.errors.push(params.entry.text);
  }
}
