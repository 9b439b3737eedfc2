// The outcome of each test file of a run. The reporter writes it down for the runner (run.ts), which needs more of it
// than jest's exit code.
import type { Project } from "./kinds.ts";

export interface FileOutcome {
  /** Relative to the root of the run. */
  readonly path: string;
  readonly project: Project;
  readonly passed: number;
  /**
   * Names of the tests that failed. A file that could not be run has no tests, but has failed: then the first line of
   * its error.
   */
  readonly failed: readonly string[];
}

/** The variable that names the file which the reporter writes to. */
export const OUTCOME_FILE = "TEST_OUTCOME_FILE";
