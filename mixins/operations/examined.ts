// The doctor over the running system. Each service's databases are examined by one of its nodes; each node examines its
// machine, its configuration and its servers; here are the checks that need a view of all nodes.
import type { Context as MoleculerContext } from "moleculer";
import { callErrors, listedServices, type Context } from "../contract/index.ts";
import { consumerState, type ConsumerStatus } from "../stream/siblings.ts";
import { askNodes, lostNodes, servingNodes, type NodeAnswer } from "./ask-nodes.ts";
import { meetNodes } from "./clock-skew.ts";
import { clockState } from "./clocks.ts";
import { attempt, fail, ok, resultOf, warn, type Finding, type Result, type Status } from "./doctor/finding.ts";
import type { Examined } from "./doctor/node.ts";

const limits = {
  /** Milliseconds that a node may take: it answers what it has found after 20 seconds. */
  examinationMs: 22_000,
  /** Findings in an answer: of some 300 bytes each. */
  findings: 500,
} as const;

const WORST_FIRST: readonly Status[] = ["FAIL", "warn", "ok"];
const rank = ({ status }: Pick<Finding, "status">): number => WORST_FIRST.indexOf(status);

/** A finding, with the nodes that have found it. */
interface Found extends Finding {
  readonly nodes: readonly string[];
}

interface Asked {
  readonly service?: string;
  readonly all?: boolean;
}

/** Milliseconds that the whole may take: files are read from end to end. */
export const EXAMINED_MS = 30_000;

export async function examined(ctx: Context<Asked>) {
  const { service: only, all = false } = ctx.params;
  const system = systemOf(ctx, only);
  const [ofNodes, ofClocks, ofConsumers] = await Promise.all([
    examineNodes(ctx, system),
    only === undefined ? compareClocks(ctx) : [],
    examineConsumers(ctx, system),
  ]);
  const found = [...ofNodes, ...ofClocks, ...ofConsumers].toSorted(
    (a, b) => rank(a) - rank(b) || a.subject.localeCompare(b.subject),
  );
  const counts = { ok: 0, warn: 0, FAIL: 0 };
  for (const { status } of found) counts[status] += 1;
  const asked = all ? found : found.filter(({ status }) => status !== "ok");
  const findings = asked.slice(0, limits.findings).map(finding => ({ ...finding, nodes: [...finding.nodes] }));
  return { counts, findings, left: asked.length - findings.length };
}

// ---- who runs what

interface System {
  readonly nodes: readonly { readonly id: string; readonly hostname: string }[];
  /** Nodes that should answer and cannot be asked; none where one service is examined. */
  readonly lost: ReturnType<typeof lostNodes>;
  /** Nodes that run a service, by its name without a version: a service's database is named so. */
  readonly runners: ReadonlyMap<string, readonly string[]>;
  /** Full names of the services with consumers. */
  readonly consuming: readonly string[];
}

function systemOf({ broker }: Context, only: string | undefined): System {
  const nodes = servingNodes(broker);
  const services = listedServices(broker, { onlyAvailable: true, skipInternal: true }) as unknown as Listed[];
  const asked = services.filter(({ name, fullName }) => only === undefined || only === name || only === fullName);
  if (only !== undefined && asked.length === 0)
    throw callErrors.VALIDATION_ERROR({ field: "service", message: "no node runs a service of this name" });
  const runners = new Map<string, string[]>();
  for (const { name, nodeID } of asked) runners.set(name, [...(runners.get(name) ?? []), nodeID]);
  const consuming = asked.filter(({ metadata }) => metadata?.["consumers"] !== undefined);
  const lost = only === undefined ? lostNodes(broker) : [];
  return { nodes, lost, runners, consuming: [...new Set(consuming.map(({ fullName }) => fullName))] };
}

interface Listed {
  readonly name: string;
  readonly fullName: string;
  readonly nodeID: string;
  readonly metadata?: Readonly<Record<string, unknown>>;
}

// ---- what the nodes find

async function examineNodes(ctx: Context, { nodes, lost, runners }: System): Promise<readonly Found[]> {
  const services = examinersOf(ctx.broker.nodeID, runners);
  const asked = runners.size === 0 ? nodes : nodes.filter(({ id }) => services.has(id) || runnersOf(runners).has(id));
  const each = await Promise.all(
    asked.map(({ id }) =>
      askNodes<Examined>(ctx, "$doctor.examine", {
        nodes: [id],
        params: { services: services.get(id) ?? [] },
        timeoutMs: limits.examinationMs,
      }),
    ),
  );
  const answers = each.flatMap(one => one.answers);
  const silent = each.flatMap(one => one.silent);
  return [...merged(answers), ...sharing(answers, nodes, runners), ...answering(ctx, { answers, silent, lost })];
}

const runnersOf = (runners: System["runners"]): Set<string> => new Set([...runners.values()].flat());

/** The services that each node examines: one node a service, the asking one where it can. */
function examinersOf(here: string, runners: System["runners"]): Map<string, string[]> {
  const services = new Map<string, string[]>();
  for (const [service, nodes] of runners) {
    const node = nodes.includes(here) ? here : nodes.toSorted()[0]!;
    services.set(node, [...(services.get(node) ?? []), service]);
  }
  return services;
}

/** Subjects of a node's own: two nodes that say the same of theirs say two things. */
const OF_NODE = new Set(["machine", "configuration", "the bus"]);

/**
 * Findings of one check and subject from several nodes are one: the worst word counts. A server says other numbers to each
 * who asks.
 */
export function merged(answers: readonly NodeAnswer<Examined>[]): readonly Found[] {
  const groups = new Map<string, { findings: readonly Finding[]; nodes: string[] }>();
  for (const { node, answer } of answers) {
    const findings = answer.findings.map(one => (OF_NODE.has(one.subject) ? { ...one, subject: `node ${node}` } : one));
    for (const [key, own] of Map.groupBy(findings, ({ subject, check }) => `${subject} ${check}`)) {
      const known = groups.get(key);
      if (known) known.nodes.push(node);
      if (!known || worst(own) < worst(known.findings))
        groups.set(key, { findings: own, nodes: known?.nodes ?? [node] });
    }
  }
  return [...groups.values()].flatMap(({ findings, nodes }) => findings.map(finding => ({ ...finding, nodes })));
}

const worst = (findings: readonly Finding[]): number => Math.min(...findings.map(rank));

/** A service on SQLite that runs on two machines has two databases, each with a part of what was acknowledged. */
export function sharing(
  answers: readonly NodeAnswer<Examined>[],
  nodes: System["nodes"],
  runners: System["runners"],
): readonly Found[] {
  const embedded = new Set(answers.flatMap(({ answer }) => answer.embedded));
  const hostOf = new Map(nodes.map(({ id, hostname }) => [id, hostname]));
  return [...runners].flatMap(([service, own]) => {
    if (!embedded.has(service)) return [];
    const hosts = new Set(own.map(node => hostOf.get(node) ?? node));
    const where = [...hosts].sort().join(", ");
    const result =
      hosts.size === 1
        ? ok("sharing", `on SQLite, on ${where} alone`)
        : fail(
            "sharing",
            `on SQLite, and runs on ${where}: each has a file of its own`,
            "run it on one machine, or on Postgres",
          );
    return [{ subject: service, ...result, nodes: own }];
  });
}

interface Answering extends Pick<System, "lost"> {
  readonly answers: readonly NodeAnswer<Examined>[];
  readonly silent: readonly string[];
}

function answering({ broker }: Context, { answers, silent, lost }: Answering): readonly Found[] {
  const all = listedServices(broker, { onlyAvailable: true }) as unknown as Listed[];
  const withDoctor = new Set(all.filter(({ name }) => name === "$doctor").map(({ nodeID }) => nodeID));
  for (const { id, services } of lost) if (services.includes("$doctor")) withDoctor.add(id);
  const result = (node: string): Result =>
    withDoctor.has(node)
      ? fail("nodes", `no answer within ${limits.examinationMs} ms`, "see GET /ops/health and its log: is it busy?")
      : warn(
          "nodes",
          "it has no doctor: another release, or started by something else",
          "run `npx valence doctor` there",
        );
  return [
    ...[...silent, ...lost.map(({ id }) => id)].map(node => ({ subject: `node ${node}`, ...result(node), nodes: [] })),
    ...answers.map(({ node }) => ({ subject: `node ${node}`, ...ok("nodes", "it answers"), nodes: [node] })),
  ];
}

// ---- what is seen from here

/** Asked apart from the examination, which takes long: the less time under way, the more exact. */
async function compareClocks(ctx: Context): Promise<readonly Found[]> {
  return (await meetNodes(ctx)).map(({ node, ...meeting }) => ({
    subject: `node ${node}`,
    ...resultOf("skew", clockState(meeting)),
    nodes: [node],
  }));
}

/** A service asks the owners of the logs how far its consumers are: it may not open their databases. */
async function examineConsumers(ctx: Context, { consuming, runners }: System): Promise<readonly Found[]> {
  const call = (ctx as unknown as MoleculerContext).call.bind(ctx);
  const found = consuming.map(async service => {
    const results = await attempt("lag", async () => {
      const options = { timeout: limits.examinationMs };
      const answer = await call<{ consumers: ConsumerStatus[] }, object>(`${service}.consumers`, {}, options);
      return answer.consumers.map((consumer): Result => {
        const state = consumerState(consumer);
        return resultOf("lag", { ...state, message: `${consumer.name}: ${state.message}` });
      });
    });
    return results.map(result => ({ subject: service, ...result, nodes: runners.get(service) ?? [] }));
  });
  return (await Promise.all(found)).flat();
}
