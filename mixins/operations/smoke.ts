// What is tried on a running system from outside, after a roll-out: `npx valence smoke`. Each service brings its own steps in
// `<service>/smoke.ts`, so that they go where the service goes.
import { randomUUID } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import { PROBLEM_JSON, type Environment } from "../kernel/index.ts";

const limits = {
  /** Milliseconds that one request may take. */
  answerMs: 15_000,
  /** Milliseconds between two looks, at something that is not there yet or does not answer. */
  pauseMs: 500,
  /** Bytes of an answer. A page of any list has less; a server that never ends would fill the memory. */
  answerBytesMax: 4 * 1_024 * 1_024,
  /** Characters of an answer that a failure shows. */
  shownChars: 300,
};

/** A client of the system that is tried. */
export interface SmokeVisitor {
  /** The variables of the process that tries, for those that a service declares for its steps. */
  readonly environment: Environment;
  /**
   * The answer's body. A 429, a 503 and a cut connection are repeated for as long as the step may take; any other status than a 2xx is an
   * error, with what the answer said.
   */
  get<T>(path: string): Promise<T>;
  /** Sends JSON. It has one `Idempotency-Key` through all attempts. */
  post<T>(path: string, body: object): Promise<T>;
  /** The first value that is not undefined. Throws past the step's deadline, saying what it waited for. */
  until<T>(what: string, look: () => Promise<T | undefined>): Promise<T>;
}

export interface SmokeStep {
  /** What holds if it passes: "bookings are listed". */
  readonly says: string;
  /** Whether it acts for the account of `SMOKE_API_KEY`; it is left out where there is none. Default false. */
  readonly needsAccount?: boolean;
  /** Resolves to what it saw, a few words for the report. Throws if something does not hold. */
  readonly run: (visitor: SmokeVisitor) => Promise<string>;
}

/** Steps of a service, exported from its `smoke.ts`. */
export interface Smoke {
  readonly steps: readonly SmokeStep[];
}

const made = new WeakSet<object>();

/**
 * The steps by which `npx valence smoke` tries a service, through the gateway.
 *
 *     export const smoke = defineSmoke([
 *       { says: "bookings are listed", run: async visitor => `${(await visitor.get<Page>("/api/v1/bookings")).total} bookings` },
 *     ]);
 */
export function defineSmoke(steps: readonly SmokeStep[]): Smoke {
  const smoke = { steps };
  made.add(smoke);
  return smoke;
}

export const isSmoke = (value: unknown): value is Smoke =>
  typeof value === "object" && value !== null && made.has(value);

/** How a step ended. */
export interface SmokeResult {
  readonly says: string;
  readonly status: "ok" | "skip" | "FAIL";
  readonly detail: string;
}

export interface SmokeOptions {
  /** Of the gateway, or whatever stands before it. */
  readonly url: string;
  readonly environment: Environment;
  /** An API key, for steps that need an account. */
  readonly key: string | undefined;
  /** Fields of every request. */
  readonly headers: Readonly<Record<string, string>>;
  /** Milliseconds that a step may take. */
  readonly stepMs: number;
}

/** Tries the steps one after the other. After one that failed it goes on, unless nothing is ready. */
export async function* smokeOf(steps: readonly SmokeStep[], options: SmokeOptions): AsyncGenerator<SmokeResult> {
  const ready = await resultOf(READY, options);
  yield ready;
  if (ready.status === "FAIL") return;
  for (const step of steps) yield await resultOf(step, options);
}

const READY: SmokeStep = {
  says: "the gateway is ready",
  run: async visitor => {
    const answer = await visitor.get<{ status?: string } | null>("/health/ready");
    if (typeof answer?.status !== "string") throw new Error("/health/ready answered without a status");
    return answer.status;
  },
};

async function resultOf({ says, needsAccount, run }: SmokeStep, options: SmokeOptions): Promise<SmokeResult> {
  if (needsAccount && options.key === undefined) return { says, status: "skip", detail: "SMOKE_API_KEY is not set" };
  try {
    return { says, status: "ok", detail: lineOf(await run(visitorOf(options))) };
  } catch (error) {
    return { says, status: "FAIL", detail: lineOf((error as Error).message) };
  }
}

/** One line: an answer must not write a line of its own, or a command to the terminal or the pipeline that shows it. */
const lineOf = (text: string): string => text.replaceAll(/[\p{Cc}\p{Zl}\p{Zp}\p{Bidi_Control}]+/gu, " ").trim();

/** With the deadline of one step. */
function visitorOf({ url, environment, key, headers, stepMs }: SmokeOptions): SmokeVisitor {
  const endsAt = performance.now() + stepMs;
  const common = {
    Accept: "application/json",
    ...headers,
    ...(key !== undefined && { Authorization: `Bearer ${key}` }),
  };

  async function until<T>(what: string, look: () => Promise<T | undefined>): Promise<T> {
    for (;;) {
      const found = await look();
      if (found !== undefined) return found;
      if (performance.now() + limits.pauseMs > endsAt) throw new Error(`not within ${stepMs / 1_000} s: ${what}`);
      await sleep(limits.pauseMs);
    }
  }

  async function request<T>(path: string, init: RequestInit): Promise<T> {
    let last = "";
    return until(`an answer of ${path}`, async () => {
      const leftMs = Math.max(1, Math.round(endsAt - performance.now()));
      const answer = await ask(new URL(path, url), init, Math.min(limits.answerMs, leftMs));
      if (!("isForNow" in answer)) return { body: answer.body as T };
      last = answer.says;
      return undefined;
    }).then(
      ({ body }) => body,
      (error: Error) => {
        throw last === "" ? error : new Error(`${error.message}; the last one was: ${last}`);
      },
    );
  }

  return {
    environment,
    until,
    get: path => request(path, { headers: common }),
    post: (path, body) =>
      request(path, {
        method: "POST",
        headers: { ...common, "Content-Type": "application/json", "Idempotency-Key": randomUUID() },
        body: JSON.stringify(body),
      }),
  };
}

/** The answer, or why another attempt is worth while. Throws what will not pass by itself. */
async function ask(
  url: URL,
  init: RequestInit,
  withinMs: number,
): Promise<{ body: unknown } | { isForNow: true; says: string }> {
  let response: Response;
  let text: string | undefined;
  try {
    response = await fetch(url, { ...init, signal: AbortSignal.timeout(withinMs), redirect: "manual" });
    text = await textOf(response);
  } catch (error) {
    const { message } = ((error as Error).cause ?? error) as Error;
    return { isForNow: true, says: message };
  }
  if (text === undefined)
    throw new Error(`${url.pathname} answered ${response.status} with more than ${limits.answerBytesMax} bytes`);
  const says = `${response.status} ${text.slice(0, limits.shownChars)}`.trim();
  if ([429, 503].includes(response.status)) return { isForNow: true, says };
  const type = response.headers.get("content-type") ?? "";
  // A proxy's page may be a 200 as well.
  const isOurs = /\bjson\b/.test(type) && !type.startsWith(PROBLEM_JSON);
  if (!response.ok || !isOurs) throw new Error(`${url.pathname} answered ${says}`);
  try {
    return { body: JSON.parse(text) };
  } catch {
    throw new Error(`${url.pathname} answered no JSON: ${says}`);
  }
}

/** Undefined for one that is too long. */
async function textOf({ body }: Response): Promise<string | undefined> {
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  for await (const chunk of body ?? []) {
    bytes += chunk.length;
    // To leave the loop ends the connection.
    if (bytes > limits.answerBytesMax) return undefined;
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString();
}
