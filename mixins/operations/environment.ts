// How a terminal or a pipeline reaches services that do not run on its machine.
import { defineEnvironment, hidden, url } from "../kernel/index.ts";

export const operationsEnvironment = defineEnvironment("Operators", {
  OPERATOR_URL: url({
    protocols: ["http:", "https:"],
    defaultSays: "none: this machine, or the bus",
    says: "the gateway that `npx valence ops` asks, such as `https://api.example.com`; `--url` says the same",
  }),
  OPERATOR_TOKEN: hidden({
    form: "an access token or an API key",
    problem: text => (/^[\w.~+/=-]+$/.test(text) ? undefined : "an access token or an API key, in one word"),
    defaultSays: "none: the user of this machine",
    says: "in whose name an operator's terminal acts; for a gateway, and for a bus whose nodes have keys",
  }),
  DASHBOARDS_URL: url({
    protocols: ["http:", "https:"],
    defaultSays: "none: no link",
    says: "where the console's metrics lead on to, such as a folder of Grafana's dashboards",
  }),
  TRACES_URL: url({
    protocols: ["http:", "https:"],
    defaultSays: "none: no link",
    says: "where the console's traces lead on to: a trace's id is put behind it, as in `https://jaeger.example/trace/`",
  }),
  SMOKE_API_KEY: hidden({
    form: "an API key",
    problem: text => (/^vk_[\w-]+$/.test(text) ? undefined : "an API key, `vk_…`"),
    defaultSays: "none: nothing is changed",
    says: "the test account for which `npx valence smoke` acts",
  }),
});
