// What the nodes log, and how much of it: each has an internal service `$logs` for its own levels.
import Type from "typebox";
import type { Context } from "../contract/index.ts";
import { minutes } from "../kernel/index.ts";
import { LEVELS, type ModuleLevel } from "../log/index.ts";
import { askNodes } from "./ask-nodes.ts";
import { operationErrors } from "./errors.ts";
import { note } from "./params.ts";

const limits = {
  /** Milliseconds that a node has to answer. */
  nodeMs: 1_000,
  /** Minutes for which a level may be set: a day. */
  forMinutesMax: 1_440,
} as const;

const module = Type.Optional(Type.String({ pattern: "^[$A-Za-z0-9][$A-Za-z0-9._-]{0,99}$" }));
const level = Type.Enum([...LEVELS]);
const silent = Type.Array(Type.String());

/** The part of the contract of operations that is about the log. */
export const logContract = {
  actions: {
    /**
     * The level of each module on each node, or that of one `module`: a service's full name, or a part of Moleculer
     * (`broker`, `transit`). `until` says when it goes back to what it was. `silent` names nodes that did not answer.
     */
    logLevels: {
      params: { module },
      returns: Type.Object({
        levels: Type.Array(
          Type.Object({
            node: Type.String(),
            module: Type.String(),
            level: Type.String(),
            until: Type.Optional(Type.String()),
          }),
        ),
        silent,
      }),
    },
    /**
     * Sets the level of a module, or of all, on every node that is there now: for so many minutes, or else until the node
     * starts again. A node that joins later has the level of its start.
     */
    setLogLevel: {
      params: {
        module,
        level,
        forMinutes: Type.Optional(Type.Number({ exclusiveMinimum: 0, maximum: limits.forMinutesMax })),
        note,
      },
      returns: Type.Object({
        level: Type.String(),
        nodes: Type.Array(Type.Object({ node: Type.String(), modules: Type.Array(Type.String()) })),
        silent,
      }),
    },
  },
  mayRefuse: { logLevels: [], setLogLevel: ["LOG_MODULE_NOT_FOUND"] },
  permissions: { logLevels: "operations:read", setLogLevel: "operations:write" },
} as const;

/** The modules that each node answers, in the order of the nodes' names. */
async function modulesOf<T>(
  ctx: Context,
  action: string,
  params: object,
): Promise<{ answered: Modules<T>[]; silent: string[] }> {
  const asked = { params, timeoutMs: limits.nodeMs };
  const { answers, silent } = await askNodes<{ modules: T[] }>(ctx, action, asked);
  const answered = answers.map(({ node, answer: { modules } }) => ({ node, modules }));
  return { answered: answered.sort((a, b) => (a.node < b.node ? -1 : 1)), silent: [...silent] };
}
interface Modules<T> {
  readonly node: string;
  readonly modules: T[];
}

interface Change {
  readonly module?: string;
  readonly level: (typeof LEVELS)[number];
  readonly forMinutes?: number;
}

export const logOperations = {
  async logLevels(ctx: Context & { params: { module?: string } }) {
    const { module } = ctx.params;
    const { answered, silent } = await modulesOf<ModuleLevel>(ctx, "$logs.levels", {});
    const levels = answered.flatMap(({ node, modules }) => modules.map(one => ({ node, ...one })));
    return { levels: module === undefined ? levels : levels.filter(one => one.module === module), silent };
  },

  async setLogLevel(ctx: Context & { params: Change }) {
    const { forMinutes, module, level } = ctx.params;
    const change = { module, level, ...(forMinutes !== undefined && { forMs: minutes(forMinutes) }) };
    const { answered, silent } = await modulesOf<string>(ctx, "$logs.setLevel", change);
    const nodes = answered.filter(({ modules }) => modules.length > 0);
    // Where a node was silent it may be the one with this module: then the answer says so.
    if (module !== undefined && nodes.length === 0 && silent.length === 0)
      throw operationErrors.LOG_MODULE_NOT_FOUND({ field: "module", module });
    return { level, nodes, silent };
  },
};
