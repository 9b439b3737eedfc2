// The topics that screens listen to, each with what is looked at for it.
import type { Service } from "moleculer";
import type { Context, Mixin } from "../../contract/index.ts";
import { fingerprintOf, systemClock } from "../../kernel/index.ts";
import { servingNodes } from "../ask-nodes.ts";
import { gather, hasActor, hasProjections, servicesWith } from "../asking.ts";
import { letterOperations } from "../letters.ts";
import { overview } from "../views/overview.ts";
import { sagaCounts } from "../views/sagas.ts";
import { TOPICS, type Topic } from "./contract.ts";
import { Topics, type Looks } from "./topics.ts";

const HOUR_MS = 3_600_000;
/** Records of the audit that are counted: two of each operation. */
const RECORDS = 400;
/** Actors in quarantine that are counted. */
const QUARANTINED = 500;

type Looking = Service & { readonly topics: Topics };

/** For the service with the operations: the topics of its node. */
export const LooksAtTopics = (): Mixin<{}> =>
  ({
    created(this: Service & { topics?: Topics }) {
      const { logger } = this;
      this.topics = new Topics({
        looks: looksOf(this),
        editionOf: seen => fingerprintOf("topic", seen),
        clock: systemClock,
        logger,
      });
    },
  }) as object as Mixin<{}>;

export const hintOperations = {
  stream(this: Service, { params: { topics } }: Context<{ topics?: string }>) {
    const asked = topics === undefined ? TOPICS : [...new Set(topics.split(",") as Topic[])];
    return (this as Looking).topics.hints(asked);
  },
};

/** On nobody's behalf: all who listen share them. */
function looksOf(service: Service): Readonly<Record<Topic, Looks>> {
  const { broker } = service;
  const asker = (params: object = {}) =>
    ({ broker, service, params, meta: {}, call: broker.call.bind(broker) as unknown }) as never;
  return {
    overview: {
      everyMs: 5_000,
      async look() {
        const { needs, unknown } = await overview(asker());
        const shown = needs.map(({ kind, count, newestId, command }) => ({ kind, count, newestId, command }));
        return { count: needs.length, of: { shown, unknown } };
      },
    },
    sagas: {
      everyMs: 2_000,
      async look() {
        const { counts, silent } = await sagaCounts(asker());
        return { count: sumOf(counts.map(({ sagas }) => sagas)), of: { counts, silent } };
      },
    },
    letters: {
      everyMs: 2_000,
      async look() {
        const { counts, silent } = await letterOperations.deadLetterCounts(asker());
        return { count: sumOf(counts.map(({ letters }) => letters)), of: { counts, silent } };
      },
    },
    quarantine: {
      everyMs: 5_000,
      async look() {
        const services = servicesWith(broker, hasActor);
        const found = await gather(asker(), services, "quarantined", "quarantined", { limit: QUARANTINED });
        return { count: found.all.length, of: found };
      },
    },
    projections: {
      everyMs: 2_000,
      async look() {
        const { all, silent } = await gather(
          asker(),
          servicesWith(broker, hasProjections),
          "projections",
          "projections",
        );
        // How far behind it is in time changes by itself.
        const of = all.map(({ lagMs: _passes, ...build }) => build);
        return { count: all.length, of: { of, silent } };
      },
    },
    activity: {
      everyMs: 2_000,
      async look() {
        if (!broker.registry.actions.get("audit.list")) return undefined;
        const params = { actor: "operation", from: new Date(Date.now() - HOUR_MS).toISOString(), limit: RECORDS };
        const { records } = await broker.call<{ records: ActRecord[] }, object>("audit.list", params);
        const [newest] = records;
        return {
          count: records.filter(({ type }) => !type.endsWith(".answered")).length,
          of: newest && [newest.subject, newest.version],
        };
      },
    },
    nodes: {
      everyMs: 500,
      look() {
        const ids = servingNodes(broker).map(({ id }) => id);
        return Promise.resolve({ count: ids.length, of: ids.sort() });
      },
    },
  };
}

interface ActRecord {
  readonly type: string;
  readonly subject: string;
  readonly version: number;
}

const sumOf = (counts: readonly number[]): number => counts.reduce((sum, count) => sum + count, 0);
