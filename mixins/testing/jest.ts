// Jest's configuration for an application on this runtime. Its `jest.config.mjs`:
//
//   import { jestConfig } from "@valence/runtime/testing/jest";
//   export default jestConfig();
//
// Tests run in one of four projects, by what they need (jest/kinds.ts). Node strips the types itself and jest runs ES
// modules as they are: nothing is transformed, so tests run what production runs.
import { availableParallelism, tmpdir } from "node:os";
import { extname, join } from "node:path";
import { filesOf, PROJECTS, projectsIn, type Project } from "./jest/kinds.ts";

export interface JestOptions {
  /** Folders without tests of the application, as regular expressions: `"<rootDir>/data"`. */
  readonly ignore?: readonly string[];
}

/**
 * Milliseconds: a test with servers and processes may take two minutes on a loaded machine; one that takes longer
 * hangs.
 */
const TEST_TIMEOUT_MS = 120_000;

/**
 * Three for two cores: a worker waits for more than a third of its time, for servers, processes and pauses that a test
 * needs. Each also starts processes, so that more of them miss deadlines.
 */
const WORKERS = Math.ceil(1.5 * availableParallelism());

/** The files of `jest/` are named by path, in the language that this one is in: TypeScript, or JavaScript when packed. */
const file = (name: string): string => join(import.meta.dirname, "jest", name + extname(import.meta.filename));

/** Throws when the command line names a project that does not exist. */
export function jestConfig({ ignore = [] }: JestOptions = {}): Readonly<Record<string, unknown>> {
  projectsIn(process.argv);
  // Processes share what they have compiled; that is a third of a start. A process that ends cleanly adds to it.
  process.env["WEB"] ??= "off"; // tests of pages say otherwise: each of the others would build them
  process.env["NODE_COMPILE_CACHE"] ??= join(tmpdir(), "node-compile-cache");
  return {
    maxWorkers: WORKERS,
    testSequencer: file("slow-first"),
    testTimeout: TEST_TIMEOUT_MS,
    // Jest would report after a second that it waits for open handles; the teardown does not wait long.
    openHandlesTimeout: 0,
    globalSetup: file("jest.setup"),
    globalTeardown: file("jest.teardown"),
    reporters: ["default", file("outcome-reporter")],
    projects: PROJECTS.map(project => projectOf(project, ignore)),
  };
}

const projectOf = (project: Project, ignore: readonly string[]): object => ({
  displayName: project,
  testEnvironment: file("environment"),
  extensionsToTreatAsEsm: [".ts"],
  transform: {},
  testRegex: filesOf(project),
  modulePathIgnorePatterns: ignore,
  ...(project === "postgres" && {
    globalSetup: file("postgres.setup"),
    globalTeardown: file("postgres.teardown"),
    setupFiles: [file("on-postgres")],
  }),
  ...(project === "kafka" && { globalSetup: file("kafka.setup") }),
});
