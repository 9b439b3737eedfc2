import { expect, test } from "@jest/globals";
import { command } from "./ops.ts";

const help = command.help as (args: readonly string[]) => string;

test("a command's help needs its first word only", () => {
  expect(help(["saga"])).toMatch(/^npx valence ops saga <id> — /);
  expect(help(["saga", "x", "retry"])).toMatch(/^npx valence ops saga <id> retry — /);
  expect(help(["sgaa"])).toMatch(/^there is no command "sgaa"; did you mean saga\?\n/);
  expect(help([])).toContain("npx valence ops <command> --help");
});
