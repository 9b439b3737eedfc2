// The environment in which jest runs a test file: Node's own, in which neither a process nor a broker outlives the file
// that started it. Where the tests of a kind cannot run on this machine, those of the file count as skipped, and its hooks
// do not run.
import { TestEnvironment } from "jest-environment-node";
import "./code-cache.ts";
import { cleanUp } from "../clean-up.ts";
import { processesFromHere } from "../servers/processes.ts";
import { kindOf } from "./kinds.ts";
import { isSkipped } from "./skipped.ts";

/** The part of jest's tests and their blocks that is used here. */
interface Block {
  mode?: string;
  readonly children?: readonly Block[];
}
interface State {
  readonly rootDescribeBlock: Block;
}

export default class Environment extends TestEnvironment {
  readonly #endProcesses = processesFromHere();
  readonly #isSkipped: boolean;

  constructor(...[config, context]: ConstructorParameters<typeof TestEnvironment>) {
    super(config, context);
    this.#isSkipped = kindOf(context.testPath).projects.some(isSkipped);
  }

  handleTestEvent({ name }: { readonly name: string }, { rootDescribeBlock }: State): void {
    if (name === "run_start" && this.#isSkipped) skip(rootDescribeBlock);
  }

  override async teardown(): Promise<void> {
    await cleanUp(this.global);
    await this.#endProcesses();
    await super.teardown();
  }
}

function skip(block: Block): void {
  if (block.children === undefined) block.mode = "skip";
  else for (const child of block.children) skip(child);
}
