// What the nodes are configured with: one line where they agree, several where they do not.
import Type from "typebox";
import type { Context } from "../contract/index.ts";
import type { Setting } from "../kernel/index.ts";
import { askNodes } from "./ask-nodes.ts";
import { hiddenFrom, limits } from "./asking.ts";
import { silent } from "./params.ts";

const Configured = Type.Object(
  { name: Type.String(), value: Type.String(), isSet: Type.Boolean(), nodes: Type.Array(Type.String()) },
  { title: "Setting" },
);

export const configurationContract = {
  actions: {
    /**
     * The variables of the environment that are set, or `all` with their defaults in words. A secret is `…`, a URL has no password.
     * Where nodes differ, a variable has a line for each value; `nodes` names those that have it.
     */
    configuration: {
      params: { all: Type.Optional(Type.Boolean()) },
      returns: Type.Object({ settings: Type.Array(Configured), silent }),
    },
  },
  mayRefuse: { configuration: [] },
  permissions: { configuration: "operations:read" },
} as const;

/** An e-mail address is personal. */
const ADDRESS = /[^\s@]@[^\s@]/;

export const configurationOperations = {
  async configuration(ctx: Context<{ all?: boolean }>) {
    const { answers, silent } = await askNodes<{ settings: Setting[] }>(ctx, "$configuration.list", {
      timeoutMs: limits.nodeMs,
    });
    const each = answers.flatMap(({ node, answer }) => answer.settings.map(setting => ({ node, ...setting })));
    const seesPersons = hiddenFrom(ctx).personal === undefined;
    const settings = [...Map.groupBy(each, ({ name, value, isSet }) => JSON.stringify([name, isSet, value])).values()]
      .map(same => {
        const { name, value, isSet } = same[0]!;
        const shown = seesPersons || !ADDRESS.test(value) ? value : "…";
        return { name, value: shown, isSet, nodes: same.map(({ node }) => node).sort() };
      })
      .filter(({ isSet }) => isSet || ctx.params.all === true)
      .sort((a, b) => (a.name < b.name ? -1 : a.name > b.name ? 1 : 0));
    return { settings, silent: [...silent] };
  },
};
