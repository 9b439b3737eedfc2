// Where jest runs a test file: Node's own environment, in which no process outlives the file that started it.
import { TestEnvironment } from "jest-environment-node";
import { processesFromHere } from "../servers/processes.ts";

export default class Environment extends TestEnvironment {
  readonly #endProcesses = processesFromHere();

  override async teardown(): Promise<void> {
    await this.#endProcesses();
    await super.teardown();
  }
}
