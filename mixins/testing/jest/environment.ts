// The environment in which jest runs a test file: Node's own, in which neither a process nor a broker outlives the file
// that started it.
import { TestEnvironment } from "jest-environment-node";
import { cleanUp } from "../clean-up.ts";
import { processesFromHere } from "../servers/processes.ts";

export default class Environment extends TestEnvironment {
  readonly #endProcesses = processesFromHere();

  override async teardown(): Promise<void> {
    await cleanUp(this.global);
    await this.#endProcesses();
    await super.teardown();
  }
}
