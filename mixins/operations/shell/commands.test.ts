import { describe, expect, test } from "@jest/globals";
import { commandsOf, readCommand, saidOf } from "./commands.ts";
import { completionsOf } from "./completion.ts";
import { helpOf, listOf } from "./help.ts";
import { commands } from "./shell.fixture.ts";
import { wordsOf } from "./words.ts";
import { auditTable, operationsTable } from "../table/table.ts";

const read = (line: string) => {
  const { command, params, flags } = readCommand(commands, wordsOf(line));
  return [command.operation.action, params, flags];
};

test.each([
  ["rooms", "rooms.list", {}, {}],
  ["rooms --state free --max-beds 2 --json", "rooms.list", { state: "free", maxBeds: 2 }, { json: true }],
  ["rooms --tags=sea,sun --tags top", "rooms.list", { tags: ["sea", "sun", "top"] }, {}],
  ["taken", "rooms.list", { state: "taken" }, {}],
  ["room 7", "rooms.show", { id: "7" }, {}],
  ["room 7 --at 3", "rooms.show", { id: "7", version: 3 }, {}],
  ["room 7 close --note 'a leak' --yes", "rooms.close", { id: "7", note: "a leak" }, { yes: true }],
  ["room 7 close --dry-run", "rooms.close", { id: "7", dryRun: true }, {}],
  ["room 7 close --dry-run=false", "rooms.close", { id: "7", dryRun: false }, {}],
  ["room 7 --json --diff 1 2", "rooms.diff", { id: "7", from: 1, to: 2 }, { json: true }],
  ["room 7 --diff 1 --json", "rooms.diff", { id: "7", from: 1 }, { json: true }],
  [`guess 7 --params '{"beds":2}'`, "rooms.guess", { id: "7", params: { beds: 2 } }, {}],
  ["room --help", "rooms.show", {}, { help: true }],
])("%s", (line, action, params, flags) => expect(read(line)).toEqual([action, params, flags]));

test.each([
  ["rom 7", 'there is no command "rom"; did you mean room?'],
  ["sauna", 'there is no command "sauna"; help lists them'],
  ["rooms --sate free", "rooms has no option --sate; did you mean --state?"],
  ["rooms --pool", "rooms has no option --pool; it has --state, --max-beds, --tags, --cursor, --json, --help"],
  ["rooms --state fre", "--state is one of free, taken; did you mean free?"],
  ["rooms --max-beds two", '--max-beds is a number, not "two"'],
  ["rooms --max-beds", "--max-beds needs a value"],
  ["room", "<id> is missing: room <id>"],
  ["room 7 clsoe", 'room 7 has no "clsoe"; did you mean close?'],
  ["room 7 sauna", '"sauna" is one word too many: room <id>'],
  ["rooms --stae free", "rooms has no option --stae; did you mean --state?"],
  ["rooms all", '"all" is one word too many: rooms'],
  ["guess 7 --params {beds", "--params is JSON: "],
])("%s is a mistake, and is told how to be one no more", (line, says) => expect(() => read(line)).toThrow(says));

test("a command is said again as it was meant", () => {
  expect(saidOf(readCommand(commands, ["room", "7", "close", "--yes"]))).toBe("room 7 close");
});

test.each([
  ["a 'b c' d", ["a", "b c", "d"]],
  [`say "it's" ''`, ["say", "it's", ""]],
  [String.raw`a\ b "c\"d"`, ["a b", 'c"d']],
  ["  ", []],
])("%p is split as a shell does", (line, words) => expect(wordsOf(line)).toEqual(words));

describe("completion", () => {
  const names = { id: ["7", "71", "8"], "rooms.paint.name": ["seven"] };
  const complete = (line: string) => completionsOf(commands, line.split(" "), names);
  test.each([
    ["ro", ["room", "rooms"]],
    ["room 7", ["7", "71"]],
    ["room 7 ", ["close"]],
    ["rooms --s", ["--state"]],
    ["rooms --state ", ["free", "taken"]],
    ["room 7 --d", ["--diff", "--dry-run"]],
    ["paint ", ["seven"]],
    ["paint seven --no", ["--no-wait"]],
    ["sauna ", []],
  ])("%s", (line, found) => expect(complete(line)).toEqual(found));
});

test("help has the options of the action, the permission, the route and the examples", () => {
  const help = helpOf(readCommand(commands, ["room", "7", "close"]).command, "ops ");
  expect(help).toMatch(/^ops room <id> close — Closes a room$/m);
  expect(help).toMatch(/^ {2}--note <text>$/m);
  expect(help).toMatch(/^ {2}--yes +does not ask/m);
  expect(help).not.toContain("--no-wait");
  expect(help).toContain("rooms:write. Over HTTP: POST /api/v1/rooms/:id/close");
  expect(help).toMatch(/^ {2}ops room 7 close$/m);
  expect(helpOf(readCommand(commands, ["rooms"]).command)).toMatch(/^ {2}--max-beds <number> +1 to 9$/m);
  expect(listOf(commands)).toMatch(/^ {2}taken +Taken rooms$/m);
});

describe("the table of the runtime", () => {
  const ours = commandsOf([...operationsTable, ...auditTable]);
  test.each([
    ["loglevel bogus", "<level> is one of "],
    ["trace xyz", '<id> cannot be "xyz"; such as: trace 0af7651916cd43dd8448eb211c80319c'],
    ["archive loan --yes", "--older-than-days is missing: archive <type>; such as: archive loan"],
    ["archive loan --older-than-days -1", "--older-than-days must be >= 0"],
    ["audit --from yesterday", "--from must be "],
    ["sagas --limit 0", "--limit must be >= 1"],
  ])("%s is a mistake that no service need be asked about", (line, says) =>
    expect(() => readCommand(ours, wordsOf(line))).toThrow(says),
  );
  test.each(ours.flatMap(command => command.examples.map(line => [line, command.form])))(
    "%s reads as %s",
    (line, form) => {
      expect(readCommand(ours, wordsOf(line)).command.form).toBe(form);
    },
  );
});
