// A jest reporter: writes the counts of a run, for .ci/run, to the file that COUNTS_FILE names. A suite that could not be
// run at all has no tests, but has failed.
import { writeFileSync } from "node:fs";

interface Results {
  readonly numPassedTests: number;
  readonly numFailedTests: number;
  readonly numRuntimeErrorTestSuites: number;
}

export default class CountsReporter {
  onRunComplete(_contexts: unknown, results: Results): void {
    const failed = results.numFailedTests + results.numRuntimeErrorTestSuites;
    writeFileSync(process.env["COUNTS_FILE"]!, `${results.numPassedTests} ${failed}\n`);
  }
}
