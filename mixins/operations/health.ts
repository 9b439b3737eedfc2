// How every node stands: what it depends on, each thing asked now by the node itself.
import type { ServiceBroker } from "moleculer";
import type { Context, Meta } from "../contract/index.ts";
import type { Condition, DependencyReport } from "../kernel/index.ts";
import { askNodes, type NodeAnswer } from "./ask-nodes.ts";
import { clockState } from "./clocks.ts";
import { pageIn } from "./pages.ts";

const limits = {
  /** Nodes in a page. */
  page: 100,
  /** Milliseconds that a node may take: each dependency has 1.5 s, all of them together. */
  nodeMs: 2_000,
} as const;

interface Report {
  readonly askedAt: number;
  readonly answeredAt: number;
  readonly dependencies: readonly DependencyReport[];
}
interface NodeState {
  readonly node: string;
  readonly status: Condition;
  readonly dependencies: readonly DependencyReport[];
}
interface Page {
  readonly limit?: number;
  readonly cursor?: string;
}

const WORST_FIRST: readonly Condition[] = ["FAIL", "warn", "ok"];
const worstOf = (states: readonly { readonly status: Condition }[]): Condition =>
  WORST_FIRST.find(condition => states.some(({ status }) => status === condition)) ?? "ok";

export async function healthOf(ctx: Context<Page>) {
  const { limit = limits.page, cursor } = ctx.params;
  const { answers, silent } = await askNodes<Report>(ctx, "$health.report", { timeoutMs: limits.nodeMs });
  const nodes = answers.map(stateOf);
  const { entries, ...next } = pageIn(nodes, {
    list: "health",
    limit,
    cursor,
    key: [({ status }) => `${WORST_FIRST.indexOf(status)}`, ({ node }) => node],
  });
  return {
    status: silent.length > 0 ? "FAIL" : worstOf(nodes),
    nodes: [...entries],
    silent: [...silent],
    ...next,
  } as const;
}

/**
 * How this node alone stands, for an operator at a process that does not reach `ops`: the bus is away, and that is what they come
 * for. `meta` names the operator.
 */
export async function healthOfThisNode(
  broker: ServiceBroker,
  meta: Meta,
): Promise<Awaited<ReturnType<typeof healthOf>>> {
  const node = broker.nodeID;
  const sentAt = Date.now();
  const answer = await broker.call<Report, object>("$health.report", {}, { nodeID: node, meta });
  const state = stateOf({ node, answer, sentAt, cameAt: Date.now() });
  return { status: state.status, nodes: [state], silent: [] };
}

function stateOf({ node, answer, sentAt, cameAt }: NodeAnswer<Report>): NodeState {
  const { askedAt, answeredAt } = answer;
  const clock = { kind: "clock", name: "clock", ...clockState({ sentAt, askedAt, answeredAt, cameAt }) };
  const dependencies = [clock, ...answer.dependencies].toSorted(
    (a, b) => WORST_FIRST.indexOf(a.status) - WORST_FIRST.indexOf(b.status),
  );
  return { node, status: worstOf(dependencies), dependencies };
}
