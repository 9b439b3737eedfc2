import { describe, expect, test } from "@jest/globals";
import { globSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import type { AnyContract } from "@valence/runtime/contract";
import * as rules from "./tidy.ts";

const root = join(import.meta.dirname, "..");
const IGNORED = [
  "node_modules",
  "data",
  ".git",
  "benchmarks/results",
  "benchmarks/peers",
  "mixins/dist",
  "client/dist",
  "web/dist",
  "web/node_modules",
  "docs/site/node_modules",
  "docs/site/dist",
];
const tree: rules.Tree = new Map(
  globSync(["**/*", ".github/**/*"], {
    cwd: root,
    exclude: path => IGNORED.includes(path) || /^(mixins|client).\.build-/.test(path),
  })
    .filter(path => statSync(join(root, path)).isFile())
    .map(path => [path.replaceAll("\\", "/"), readFileSync(join(root, path), "utf8")]),
);
const contracts: rules.ServiceFolder[] = await Promise.all(
  globSync("services/*/contract.ts", { cwd: root }).map(async path => {
    const { contract } = (await import(join(root, path))) as { contract: AnyContract };
    return { folder: path.split(/[\\/]/)[1]!, contract };
  }),
);

/** The tree keeps each rule, and each rule finds a tree that breaks it. */
const cases: { rule: (tree: rules.Tree) => string[]; broken: Record<string, Record<string, string>> }[] = [
  {
    rule: rules.importsRunDownward,
    broken: {
      "a floor from a higher one": { "mixins/stream/x.ts": 'import { x } from "../actor/index.ts";' },
      "a floor from its neighbour": { "mixins/crud/mixin.ts": 'import type { x } from "../event-store/index.ts";' },
      "the runtime from a service": { "mixins/saga/planner.ts": 'import { x } from "../../services/money.ts";' },
      "a runtime test from a service": { "mixins/saga/a.test.ts": 'import { x } from "../../services/money.ts";' },
      "the runtime from the broker's parts": { "mixins/actor/mixin.ts": 'import { x } from "../broker/index.ts";' },
      "a service from the broker's parts": { "services/a/b.ts": 'import { x } from "@valence/runtime/broker";' },
      "the broker's parts from a higher floor": { "mixins/broker/x.ts": 'import { x } from "../saga/index.ts";' },
      "production from a test's": { "mixins/saga/x.ts": 'export * from "../actor/account.fixture.ts";' },
      "by several lines": { "mixins/kernel/x.ts": 'import {\n  x,\n  y,\n} from "../contract/index.ts";' },
      "by a worker's file": { "mixins/kernel/x.ts": 'new Worker(new URL("../saga/worker.ts", import.meta.url));' },
    },
  },
  {
    rule: rules.onlyDoorsAreUsed,
    broken: {
      "an inner room of the runtime": { "services/a/x.ts": 'import { x } from "../../mixins/actor/activation.ts";' },
      "an inner room of a lower floor": { "mixins/saga/x.ts": 'import { x } from "../actor/activation.ts";' },
      "the runtime's own door, by a service": {
        "services/a/x.ts": 'import { x } from "../../mixins/stream/siblings.ts";',
      },
      "the runtime's own door, by a benchmark": {
        "benchmarks/x.ts": 'import { x } from "../mixins/stream/siblings.ts";',
      },
      "an inner room, by a service's test": {
        "services/a/x.test.ts": 'import { x } from "../../mixins/saga/fold.ts";',
      },
      "another service's code": { "services/a/x.ts": 'import { x } from "../b/x.ts";' },
      "another service's contract as a value": { "services/a/x.ts": 'import { contract } from "../b/contract.ts";' },
      "a contract as a value, in the gateway itself": {
        "services/api/x.ts": 'import { contract } from "../b/contract.ts";',
      },
      "another service's seed": { "services/a/x.ts": 'import type { x } from "../b/products.seed.ts";' },
    },
  },
  {
    rule: rules.clientLoadsNoServer,
    broken: {
      "a route": { "client/x.ts": 'import { routes } from "../services/api/routes/index.ts";' },
      "a floor of the runtime": { "client/x.ts": 'import { problemType } from "@valence/runtime/kernel";' },
      "a package": { "client/x.ts": 'import ky from "ky";' },
      "a page with a contract": { "web/shop/x.ts": 'import type { Order } from "../../services/orders/contract.ts";' },
    },
  },
  {
    rule: rules.onlyTracesLoadOpenTelemetry,
    broken: {
      "another floor": { "mixins/actor/x.ts": 'import { trace } from "@opentelemetry/api";' },
      "before a start wants it": {
        "mixins/tracing/index.ts": 'export { x } from "./x.ts";',
        "mixins/tracing/x.ts": 'import { trace } from "@opentelemetry/api";',
      },
    },
  },
  {
    rule: rules.slowHashesTakeTurns,
    broken: {
      "of Node": { "mixins/gateway/x.ts": 'import { scrypt } from "node:crypto";' },
      "of a package": { "services/a/x.ts": 'import { hash } from "@node-rs/argon2";' },
    },
  },
  {
    rule: rules.onlyMetricsLoadPrometheus,
    broken: { "another floor": { "mixins/actor/x.ts": 'import { Counter } from "prom-client";' } },
  },
  {
    rule: rules.contractsArePure,
    broken: {
      "on an actor": { "services/a/contract.ts": 'import { Actors } from "../../mixins/actor/mixin.ts";' },
      "on its own service": { "services/a/contract.ts": 'import { x } from "./x.ts";' },
      "by its vocabulary": { "services/money.ts": 'import knex from "knex";' },
    },
  },
  {
    rule: rules.pureDoorsLoadNoBroker,
    broken: {
      "behind the door": {
        "mixins/actor/index.ts": 'export { x } from "./x.ts";',
        "mixins/actor/x.ts": 'import { ServiceBroker } from "moleculer";',
      },
    },
  },
  {
    rule: rules.servicesKeepApart,
    broken: { "a service's instance": { "services/a/x.ts": 'this.broker.getLocalService("b").field;' } },
  },
  {
    rule: rules.runtimeKnowsNoShop,
    broken: {
      "a noun": { "mixins/gateway/x.ts": "const cart = 1;" },
      "in a comment": { "mixins/gateway/x.ts": "// A customer may ask." },
      "in a name": { "mixins/gateway/x.ts": "const productId = 1;" },
      "an event": { "mixins/gateway/x.ts": 'const type = "order.placed";' },
      "in a page": { "mixins/gateway/README.md": "Takes orders." },
    },
  },
  {
    rule: rules.noFileIsDead,
    broken: {
      "no file imports it": { "mixins/actor/forgotten.ts": "export const x = 1;" },
      "only its test does": {
        "services/a/x.ts": "export const x = 1;",
        "services/a/x.test.ts": 'import { x } from "./x.ts";',
      },
      "a suite that no test runs": { "mixins/stream/carrier.conformance.ts": "export const x = 1;" },
    },
  },
  {
    rule: rules.nothingIsLeftOver,
    broken: {
      "a note to oneself": { "mixins/x.ts": "// TODO: later" },
      "a test alone": { "mixins/x.test.ts": 'test.only("x", () => {});' },
      "a test skipped without a word": { "mixins/x.test.ts": '\ntest.skip("x", () => {});' },
      "an error silenced": { "mixins/x.ts": "// @ts-ignore" },
      "a machine's path": { "README.md": "see /home/ada/shop" },
      "a page that is not there": { "mixins/x.ts": "// RUNTIME section 1" },
    },
  },
  {
    rule: rules.pagesKeepApart,
    broken: {
      "text as markup": { "web/kit/x.tsx": "<p dangerouslySetInnerHTML={{ __html: x }} />" },
      "a style attribute": { "web/kit/x.tsx": '<p style="color: red">' },
      "an inline script": { "web/x.html": "<script>run()</script>" },
      "a foreign font": { "web/kit/x.css": '@import "https://fonts.example.com/x.css";' },
      "the runtime": { "web/kit/x.ts": 'import { x } from "../../mixins/kernel/index.ts";' },
      "a service": { "web/console/x.tsx": 'import type { x } from "../../services/orders/contract.ts";' },
    },
  },
  {
    rule: rules.oneReaderOfTheEnvironment,
    broken: { "a second reader": { "services/a/x.ts": 'const port = process.env["PORT"];' } },
  },
  {
    rule: rules.failpointsAreUsed,
    broken: {
      "never passed": { "mixins/a/failpoints.ts": 'export const failpoint = defineFailpoints("a:before");' },
    },
  },
  {
    rule: rules.declarationsAreRead,
    broken: {
      "variables that no start checks": { "mixins/a/environment.ts": "export const x = 1;" },
      "failpoints that no start knows": { "mixins/a/failpoints.ts": "export const x = 1;" },
      "metrics that no page shows": { "mixins/a/metrics.ts": "export const x = 1;" },
    },
  },
  {
    rule: rules.linksResolve,
    broken: {
      "to nothing": { "README.md": "[x](docs/gone.md)" },
      "to no heading": { "README.md": "# Title\n[x](#other)" },
    },
  },
  {
    rule: rules.commandsExist,
    broken: {
      "no such script": { "README.md": "`npm run fly`", "package.json": '{ "scripts": { "start": "node x" } }' },
      "not even start": { "README.md": "`npm start`", "package.json": "{}" },
      "no such command of the runtime": {
        "docs/x.md": "`npx valence fly`",
        "mixins/cli/main.ts": 'const COMMANDS = {\n  start: { summary: "starts" },\n};',
      },
    },
  },
  {
    rule: rules.codeInPagesIsReal,
    broken: {
      "of no file": { "docs/x.md": "```ts\nconst x = 1;\n```\n" },
      "of a file that has changed": {
        "docs/x.md": "```ts\n// services/a/x.ts\nconst x = 1;\n```\n",
        "services/a/x.ts": "const x = 2;",
      },
      "whose second part is gone": {
        "docs/x.md": "```ts\n// services/a/x.ts\nconst x = 1;\n// …\nconst z = 1;\n```\n",
        "services/a/x.ts": "const x = 1;\nconst y = 1;",
      },
    },
  },
  {
    rule: rules.oneActorAService,
    broken: { "two of them": { "services/a/x.ts": "defineActor(a)({}); defineActor(b)({});" } },
  },
];

describe.each(cases)("$rule.name", ({ rule, broken }) => {
  test("holds for the tree", () => expect(rule(tree)).toEqual([]));
  test.each(Object.entries(broken))("finds: %s", (_name, files) => {
    expect(rule(new Map(Object.entries(files)))).not.toEqual([]);
  });
});

describe("namesAgree", () => {
  const stock = { service: "inventory", actor: "stock", events: { "stock.received": {} } };
  test("holds for the tree", () => {
    expect(contracts.length).toBeGreaterThan(0);
    expect(rules.namesAgree(contracts)).toEqual([]);
  });
  test("finds a folder with another name, and an event of another's", () => {
    expect(rules.namesAgree([{ folder: "inventory", contract: stock }])).toEqual([]);
    expect(rules.namesAgree([{ folder: "stock", contract: stock }])).toHaveLength(1);
    const events = { "order.placed": {} };
    expect(rules.namesAgree([{ folder: "inventory", contract: { ...stock, events } }])).toHaveLength(1);
  });
});

test("the tree is the whole project", () => {
  for (const path of ["package.json", "mixins/kernel/index.ts"]) expect(tree.has(path)).toBe(true);
  expect([...tree.keys()].some(path => path.endsWith(".service.ts") && path.startsWith("services/"))).toBe(true);
  expect([...tree.keys()].some(path => path.startsWith("node_modules"))).toBe(false);
});
