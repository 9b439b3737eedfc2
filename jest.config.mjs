import { tmpdir } from "node:os";
import { join } from "node:path";

// What one process of ours has compiled, the next one need not: a third of a start. Who is not killed adds to it.
process.env.NODE_COMPILE_CACHE ??= join(tmpdir(), "node-compile-cache");

// Node strips the types itself and jest runs ES modules as they are: no transform, so tests run what production runs.
const common = {
  testEnvironment: "<rootDir>/mixins/testing/jest/environment.ts",
  extensionsToTreatAsEsm: [".ts"],
  transform: {},
  modulePathIgnorePatterns: ["<rootDir>/benchmarks/peers", "<rootDir>/data", "<rootDir>/mixins/(dist|\\.build-)"],
};

/** What needs a Postgres server, whatever the other services run on. */
const POSTGRES_ONLY = "/dialects/postgres/";
/** What lies in Redis, whatever the rest runs on. */
const NO_DATABASE = "/redis-[\\w-]+\\.int\\.test\\.ts$";

/** What is promised on any database: these run on SQLite and, once more, on Postgres. */
const ON_EVERY_DATABASE = [
  "**/mixins/{database,crud,crud/search,stream,stream/carriers,projection,saga,actor}/*.int.test.ts",
  "**/services/{accounts,carts,catalog,checkout,inventory,order-views,orders,seed,shipping}/*.int.test.ts",
  "**/services/payments/payments.int.test.ts",
  "**/test/hello/*.int.test.ts",
  "**/test/releases/*.int.test.ts",
  "**/test/e2e/{archive,baskets,cart-crash,checkout,conditions,hostile-input,migrate,money}.int.test.ts",
  "**/test/chaos/*.int.test.ts",
  "**/mixins/operations/doctor/*.int.test.ts",
];

const PROJECTS = ["default", "postgres"];
// Jest takes every word that follows this option for a project's name, a path too, and runs all of the others.
const at = process.argv.indexOf("--selectProjects") + 1;
for (const word of at === 0 ? [] : process.argv.slice(at)) {
  if (word.startsWith("-")) break;
  if (!PROJECTS.includes(word))
    throw new Error(
      `"${word}" is no project. A path comes before --selectProjects, or after: npm run test:postgres -- ${word}`,
    );
}

export default {
  // One for each of two cores: each starts servers and processes besides, and with three what has a deadline missed it at times.
  maxWorkers: 2,
  testSequencer: "<rootDir>/mixins/testing/jest/longest-first.mjs",
  testTimeout: 120_000,
  // Jest would say after a second that it waits; it does not wait long.
  openHandlesTimeout: 0,
  globalSetup: "<rootDir>/mixins/testing/jest/jest.setup.ts",
  globalTeardown: "<rootDir>/mixins/testing/jest/jest.teardown.ts",
  projects: [
    {
      ...common,
      displayName: "default",
      testMatch: ["**/*.test.ts"],
      testPathIgnorePatterns: ["/node_modules/", POSTGRES_ONLY],
    },
    {
      ...common,
      displayName: "postgres",
      testMatch: [`**${POSTGRES_ONLY}*.test.ts`, ...ON_EVERY_DATABASE],
      testPathIgnorePatterns: ["/node_modules/", NO_DATABASE],
      globalSetup: "<rootDir>/mixins/testing/jest/postgres.setup.ts",
      globalTeardown: "<rootDir>/mixins/testing/jest/postgres.teardown.ts",
      setupFiles: ["<rootDir>/mixins/testing/jest/on-postgres.ts"],
    },
  ],
};
