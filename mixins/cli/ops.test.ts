import { expect, jest, test } from "@jest/globals";
import { EXIT } from "../operations/shell/run.ts";
import { command } from "./ops.ts";

const help = command.help as (args: readonly string[]) => string;

test("a command's help needs its first word only", () => {
  expect(help(["saga"])).toMatch(/^npx valence ops saga <id> — /);
  expect(help(["saga", "x", "retry"])).toMatch(/^npx valence ops saga <id> retry — /);
  expect(help(["sgaa"])).toMatch(/^there is no command "sgaa"; did you mean saga\?\n/);
  expect(help([])).toContain("npx valence ops <command> --help");
  expect(help(["--url", "https://api.example.com", "--read-only", "tail"])).toMatch(/^npx valence ops tail — /);
});

test.each([["nonsense"], ["localhost:3000"], [""], [undefined]])(
  "--url %s is a mistake, and nothing is asked",
  async url => {
    const said = jest.spyOn(console, "error").mockImplementation(() => {});
    try {
      await command.run(["stuck", "--url", ...(url === undefined ? [] : [url])]);
      expect([said.mock.lastCall, process.exitCode]).toEqual([
        [`--url is the URL of a gateway, such as https://api.example.com, not "${url ?? ""}"`],
        EXIT.mistake,
      ]);
    } finally {
      process.exitCode = 0;
      said.mockRestore();
    }
  },
);
