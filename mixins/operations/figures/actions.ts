// The figures of nodes, for operators: each one's own, and the rates of all of them.
import type { Service, ServiceBroker } from "moleculer";
import type { NodeCounts, NodeFigures } from "../../metrics/index.ts";
import type { Context, ListedService, Mixin } from "../../contract/index.ts";
import { systemClock } from "../../kernel/index.ts";
import { askNodes, isTerminal, lostNodes } from "../ask-nodes.ts";
import { by, limits, type Answer } from "../asking.ts";
import { operationsEnvironment } from "../environment.ts";
import { pageIn } from "../pages.ts";
import { lagOf } from "../views/lag.ts";
import type { Look, Point } from "./rates.ts";
import { limits as sampling, Sampler } from "./sampler.ts";

type Paged = Context<{ limit?: number; cursor?: string }>;
type Sampling = Service & { readonly sampler: Sampler };

/** For the service with the operations: the sampler of its node. */
export const SamplesFigures = (): Mixin<{}> =>
  ({
    created(this: Service & { sampler?: Sampler }) {
      const { broker, logger } = this;
      this.sampler = new Sampler({ look: () => lookAt(broker), clock: systemClock, logger });
    },
    stopped(this: Sampling) {
      this.sampler.stop();
    },
  }) as object as Mixin<{}>;

export const figureOperations = {
  async nodes(ctx: Paged) {
    const known = ctx.broker.registry.getNodeList({ withServices: true }) as KnownNode[];
    // A terminal that has left is of interest to nobody.
    const nodes = known.filter(node => node["available"] === true || !isTerminal(node));
    const { limit = limits.page, cursor } = ctx.params;
    const { entries, ...next } = pageIn(nodes, { list: "nodes", limit, cursor, key: [by("id")] });
    const there = entries.filter(node => node["available"] === true && !isTerminal(node));
    const { answers, silent } = await askNodes<NodeFigures>(ctx, "$figures.node", {
      nodes: there.map(({ id }) => id),
      timeoutMs: limits.nodeMs,
    });
    const figures = new Map(answers.map(({ node, answer }) => [node, answer]));
    const shown = entries.map((node): Answer => ({ ...registered(node), ...figures.get(node.id) }));
    const lost = lostNodes(ctx.broker).map(({ id }) => id);
    return { nodes: shown, silent: [...new Set([...silent, ...lost])].sort(), ...next };
  },

  async metrics(this: Service): Promise<{ everySeconds: number; points: Point[]; dashboards?: string }> {
    const points = await (this as Sampling).sampler.points();
    const { DASHBOARDS_URL: dashboards } = operationsEnvironment.of(this.broker);
    return {
      everySeconds: sampling.everyMs / 1_000,
      points: [...points],
      ...(dashboards !== undefined && { dashboards }),
    };
  },
};

interface KnownNode extends Answer {
  readonly id: string;
  readonly hostname: string;
  readonly metadata?: { readonly isTerminal?: true; readonly zone?: string } | null;
}

/** What the registry knows of a node. */
function registered({ id, available, local, hostname, cpu, uptime, metadata, services }: KnownNode): Answer {
  return {
    id,
    available,
    local,
    hostname,
    ...(metadata?.zone !== undefined && { zone: metadata.zone }),
    cpu,
    uptime,
    services: ((services ?? []) as ListedService[]).map(({ fullName }) => fullName).sort(),
  };
}

/** On nobody's behalf: all who look share it. */
async function lookAt(broker: ServiceBroker): Promise<Look> {
  const asker = { broker, call: broker.call.bind(broker) as unknown as Context["call"] };
  const [{ answers }, lag] = await Promise.all([
    askNodes<NodeCounts>(asker, "$figures.counts", { timeoutMs: limits.nodeMs }),
    lagOf(asker as never).catch(() => undefined),
  ]);
  const counted = answers.flatMap(({ node, answer }) => (answer.counts ? [[node, answer.counts] as const] : []));
  const rows = lag?.rows ?? [];
  return {
    at: Date.now(),
    nodes: new Map(counted),
    ...(rows.length > 0 && {
      lagEvents: Math.max(...rows.map(({ lagEvents }) => lagEvents ?? 0)),
      lagSeconds: Math.max(...rows.map(({ lagSeconds }) => lagSeconds)),
    }),
  };
}
