// What needs a person, of all services and nodes: each kind with its number, since when, and the command that looks further. Nothing
// that is on its way by itself is listed. A service that does not answer is `unknown`: its silence is not health.
import {
  ask,
  askEach,
  askCircuits,
  compare,
  hasActor,
  hasConsumers,
  hasSagas,
  MINUTE_MS,
  servicesWith,
  text,
  type Answer,
} from "../asking.ts";
import type { Sampler } from "../figures/sampler.ts";
import type { ActionName } from "../../contract/index.ts";
import type { SagaCount } from "../../saga/mixin.ts";
import { lastFindings } from "./last-findings.ts";
import type { Ctx } from "./context.ts";
import { lagOf } from "./lag.ts";

const limits = {
  /** Milliseconds after its time from which a timer counts as late: the runner fires overdue ones at a bounded rate. */
  lateMs: 60_000,
  /** Seconds that a reader may be behind before a person should look. */
  lagSeconds: 600,
  /** Share of the requests of the last minute that may fail (5xx), and the failures below which it is chance. */
  failingShare: 0.02,
  failuresMin: 5,
  /** Entries that are counted of a list; the number is then at least that. */
  counted: 500,
} as const;

/** Something that needs a person. */
interface Need extends Answer {
  readonly kind: string;
  readonly count: number;
  /** Since when, RFC 3339; absent where nobody knows. */
  readonly oldest?: string;
  /** When the last of them came, and its id: what is wrong now may not be what was wrong first. */
  readonly newest?: string;
  readonly newestId?: string;
  readonly says: string;
  /** For the REPL and `npx valence ops`. */
  readonly command: string;
  /** The operation that looks further, with its params. */
  readonly look: { readonly action: ActionName; readonly params: Readonly<Record<string, unknown>> };
}
interface Looked {
  readonly needs: readonly Need[];
  readonly unknown: readonly string[];
}

/** The worst first: what stands still, then what is late, then what may become worse. */
const LOOKS = [cluster, doctor, failures, quarantine, sagas, letters, readers, timers];

export async function overview(ctx: Ctx<"overview">) {
  const checkedAt = new Date().toISOString();
  const looked = await Promise.all(LOOKS.map(look => look(ctx)));
  const needs = looked.flatMap(({ needs }) => needs);
  const unknown = [...new Set(looked.flatMap(({ unknown }) => unknown))].sort();
  return { isWell: needs.length === 0 && unknown.length === 0, checkedAt, needs, unknown };
}

async function sagas(ctx: Ctx<"overview">): Promise<Looked> {
  // A node of the release before does not tell the newest.
  type Stuck = Pick<SagaCount, "saga" | "reason" | "sagas" | "oldestStartedAt"> & Partial<SagaCount>;
  type Counts = { counts: Stuck[] };
  const { answers, silent } = await askEach(servicesWith(ctx.broker, hasSagas), (service, options) =>
    ask<Counts>(ctx, service, "sagaCounts", { state: "stuck" }, options),
  );
  const needs = answers.flatMap(({ answer }) =>
    answer.counts.map(({ saga, reason, sagas: count, oldestStartedAt: oldest, newestAt: newest, newestId }) => ({
      kind: "stuck sagas",
      count,
      oldest,
      ...(newest !== undefined && { newest }),
      ...(newestId !== undefined && { newestId }),
      says: `${saga} is stuck with ${reason}: mend the cause and retry, or compensate`,
      command: `sagas --state stuck --name ${saga} --reason ${reason}`,
      look: { action: "ops.sagas" as const, params: { state: "stuck", name: saga, reason } },
    })),
  );
  return { needs, unknown: silent };
}

async function quarantine(ctx: Ctx<"overview">): Promise<Looked> {
  const { answers, silent } = await askEach(servicesWith(ctx.broker, hasActor), (service, options) =>
    ask<{ quarantined: { at: string; id: string }[] }>(ctx, service, "quarantined", { limit: limits.counted }, options),
  );
  const needs = answers.flatMap(({ service, answer: { quarantined } }) =>
    someOf({
      kind: "quarantined actors",
      count: quarantined.length,
      oldest: quarantined[0]?.at,
      newest: quarantined.at(-1)?.at,
      newestId: quarantined.at(-1)?.id,
      says: `records of ${service} cannot be read: mend them, or deploy the release that reads them`,
      command: "quarantined",
      look: { action: "ops.quarantined", params: {} },
    }),
  );
  return { needs, unknown: silent };
}

async function letters(ctx: Ctx<"overview">): Promise<Looked> {
  const { answers, silent } = await askEach(servicesWith(ctx.broker, hasConsumers), (service, options) =>
    ask<{ deadLetters: { at: string; id: string | number; consumer: string }[] }>(
      ctx,
      service,
      "deadLetters",
      { limit: limits.counted, brief: true },
      options,
    ),
  );
  const needs = answers.flatMap(({ service, answer: { deadLetters } }) =>
    someOf({
      kind: "dead letters",
      count: deadLetters.length,
      oldest: deadLetters[0]?.at,
      newest: deadLetters.at(-1)?.at,
      newestId: `${service}:${deadLetters.at(-1)?.id}`,
      says: `events that ${consumersIn(deadLetters)} could not handle, and those that wait behind them`,
      command: `letters --service ${service}`,
      look: { action: "ops.deadLetters", params: { service } },
    }),
  );
  return { needs, unknown: silent };
}
const consumersIn = (letters: readonly { consumer: string }[]): string =>
  [...new Set(letters.map(({ consumer }) => consumer))].slice(0, 5).join(", ");

async function readers(ctx: Ctx<"overview">): Promise<Looked> {
  const { rows, silent } = await lagOf(ctx);
  const standing = rows.filter(
    ({ state, stopped }) => state === "stopped" || state === "full" || stopped !== undefined,
  );
  const slow = rows.filter(row => !standing.includes(row) && row.lagSeconds > limits.lagSeconds && row.lagEvents !== 0);
  const stopped = standing.map(({ kind, service, name, state, stopped }) => ({
    kind: "readers that stand still",
    count: 1,
    ...oldestOf((stopped as { since: string }[] | undefined)?.map(({ since }) => since)),
    says: `${kind} ${name} of ${service} is ${text(state)}: it reads no further until a person acts`,
    ...(kind === "projection"
      ? { command: "projections", look: { action: "ops.projections" as const, params: {} } }
      : { command: "consumers", look: { action: "ops.consumers" as const, params: {} } }),
  }));
  const late = slow.map(({ kind, service, name, lagEvents, lagSeconds }) => ({
    kind: "readers that are behind",
    count: lagEvents ?? 0,
    oldest: new Date(Date.now() - lagSeconds * 1_000).toISOString(),
    says: `${kind} ${name} of ${service} is ${Math.round(lagSeconds / 60)} minutes behind`,
    command: "lag",
    look: { action: "ops.lag" as const, params: {} },
  }));
  return { needs: [...stopped, ...late], unknown: silent };
}

async function timers(ctx: Ctx<"overview">): Promise<Looked> {
  type Late = { timers: { lateMs: number; dueAt: string }[] };
  const { answers, silent } = await askEach(servicesWith(ctx.broker, hasActor), (service, options) =>
    ask<Late>(ctx, service, "timers", { limit: limits.counted }, options),
  );
  const needs = answers.flatMap(({ service, answer }) => {
    const late = answer.timers.filter(({ lateMs }) => lateMs > limits.lateMs);
    return someOf({
      kind: "late timers",
      count: late.length,
      oldest: late.map(({ dueAt }) => dueAt).sort(compare)[0],
      says: `timers of ${service} are more than a minute late: their command fails, or nobody fires them`,
      command: `timers --service ${service}`,
      look: { action: "ops.timers", params: { service } },
    });
  });
  return { needs, unknown: silent };
}

/** Requests that fail, while somebody looks at the figures, as the console does: the overview itself does not begin to sample. */
async function failures({ service }: Ctx<"overview">): Promise<Looked> {
  const { sampler } = service as { readonly sampler?: Sampler };
  const since = Date.now() - MINUTE_MS;
  const recent = (sampler?.seen ?? []).filter(({ at }) => Date.parse(at) > since);
  const sum = (of: "requestsPerSecond" | "failuresPerSecond"): number =>
    recent.reduce((total, point) => total + point[of] * point.seconds, 0);
  const [requests, failed] = [sum("requestsPerSecond"), Math.round(sum("failuresPerSecond"))];
  const isMuch = failed >= limits.failuresMin && failed > limits.failingShare * requests;
  const percent = Math.min(100, Math.round((failed / Math.max(1, requests)) * 100));
  const needs = someOf({
    kind: "failing requests",
    count: isMuch ? failed : 0,
    oldest: undefined,
    says: `${percent} % of the requests of the last minute failed`,
    command: "metrics",
    look: { action: "ops.metrics", params: {} },
  });
  return { needs, unknown: [] };
}

/** Silent nodes, and the circuits that the others have opened. */
async function cluster(ctx: Ctx<"overview">): Promise<Looked> {
  const { circuits, silent } = await askCircuits(ctx);
  return { needs: [...nodes(silent), ...openOf(circuits)], unknown: [] };
}

function openOf(circuits: readonly Answer[]): Need[] {
  const open = circuits.filter(({ state }) => state !== "closed");
  const since = open.map(({ since }) => text(since)).filter(at => at !== "");
  return someOf({
    kind: "open circuits",
    count: open.length,
    oldest: since.sort(compare)[0],
    says: `calls are refused at once: ${[...new Set(open.map(({ action }) => text(action)))].slice(0, 5).join(", ")}`,
    command: "circuits",
    look: { action: "ops.circuits", params: {} },
  });
}

function nodes(silent: readonly string[]): Need[] {
  return someOf({
    kind: "silent nodes",
    count: silent.length,
    oldest: undefined,
    says: `no answer from ${silent.slice(0, 5).join(", ")}`,
    command: "nodes",
    look: { action: "ops.nodes", params: {} },
  });
}

/** Checks of the doctor that say what other looks say in more detail. */
const LOOKED_AT = new Set(["lag", "parked", "quarantine", "sagas", "nodes"]);

/** The other failures that the doctor has found, where it may be asked. */
async function doctor(ctx: Ctx<"overview">): Promise<Looked> {
  if (!ctx.broker.registry.actions.get("ops.doctor")) return { needs: [], unknown: [] };
  const findings = await lastFindings(ctx.broker);
  if (findings === undefined) return { needs: [], unknown: ["doctor"] };
  const failed = findings.filter(({ status, check }) => status === "FAIL" && !LOOKED_AT.has(check));
  const needs = failed.map(({ subject, check, message }) => ({
    kind: "doctor",
    count: 1,
    says: `${subject}, ${check}: ${message}`,
    command: "doctor",
    look: { action: "ops.doctor" as const, params: {} },
  }));
  return { needs, unknown: [] };
}

/** The need, unless there is none of it. */
function someOf({ oldest, newest, newestId, ...need }: Found): Need[] {
  if (need.count === 0) return [];
  const { kind, count, ...rest } = need;
  const times = {
    ...(oldest !== undefined && { oldest }),
    ...(newest !== undefined && { newest }),
    ...(newestId !== undefined && { newestId }),
  };
  return [{ kind, count, ...times, ...rest } as Need];
}
type Found = Omit<Need, "oldest" | "newest" | "newestId"> & {
  readonly [X in "oldest" | "newest" | "newestId"]?: string | undefined;
};

const oldestOf = (times: readonly string[] | undefined): { oldest?: string } =>
  times === undefined || times.length === 0 ? {} : { oldest: [...times].sort(compare)[0]! };
