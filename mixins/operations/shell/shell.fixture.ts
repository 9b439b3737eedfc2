// A table of operations for tests of the shell, and a terminal that keeps what is written.
import Type from "typebox";
import { defineContract } from "../../contract/index.ts";
import { operationsOf } from "../table/operation.ts";
import { commandsOf } from "./commands.ts";
import type { Terminal } from "./terminal.ts";

const contract = defineContract({
  service: "rooms",
  actions: {
    list: {
      params: {
        state: Type.Optional(Type.Enum(["free", "taken"])),
        maxBeds: Type.Optional(Type.Integer({ minimum: 1, maximum: 9 })),
        tags: Type.Optional(Type.Array(Type.String())),
        cursor: Type.Optional(Type.String()),
      },
      returns: Type.Object({}),
    },
    show: { params: { id: Type.String(), version: Type.Optional(Type.Integer()) }, returns: Type.Object({}) },
    close: {
      params: { id: Type.String(), note: Type.Optional(Type.String()), dryRun: Type.Optional(Type.Boolean()) },
      returns: Type.Object({}),
    },
    diff: {
      params: { id: Type.String(), from: Type.Integer(), to: Type.Optional(Type.Integer()) },
      returns: Type.Object({}),
    },
    guess: { params: { id: Type.String(), params: Type.Optional(Type.Object({})) }, returns: Type.Object({}) },
    paint: { params: { name: Type.String() }, returns: Type.Object({}) },
    watch: { params: { cursor: Type.Optional(Type.String()) }, returns: Type.Object({}) },
    check: { params: {}, returns: Type.Object({}) },
    dump: { params: { cursor: Type.Optional(Type.String()) }, returns: Type.Object({}) },
  },
  permissions: {
    list: "rooms:read",
    show: "rooms:read",
    close: "rooms:write",
    diff: "rooms:read",
    guess: "rooms:read",
    paint: "rooms:write",
    watch: "rooms:read",
    check: "rooms:read",
    dump: "rooms:read",
  },
});

const [action, params] = ["rooms.list" as never, () => ({})];
export const table = operationsOf(contract, {
  list: {
    command: "rooms",
    summary: "Rooms",
    http: "GET /rooms",
    view: { list: "rooms", columns: ["id", "state", "beds", "sinceMs", "guests", "never"] },
    examples: ["rooms --state free"],
    shortcuts: [{ command: "taken", summary: "Taken rooms", params: { state: "taken" }, examples: ["taken"] }],
  },
  show: {
    command: "room <id>",
    summary: "A room",
    http: "GET /rooms/:id",
    view: { tables: { guests: ["name"] } },
    optionNames: { version: "at" },
    examples: ["room 7"],
  },
  close: {
    command: "room <id> close",
    summary: "Closes a room",
    http: "POST /rooms/:id/close",
    view: {},
    asks: "Its guests have to leave.",
    examples: ["room 7 close"],
  },
  diff: {
    command: "room <id> --diff <from> [to]",
    summary: "What has changed",
    http: "GET /rooms/:id/diff",
    view: {},
    examples: ["room 7 --diff 1 2"],
  },
  guess: {
    command: "guess <id>",
    summary: "What would be",
    http: "POST /rooms/:id/guess",
    view: {},
    examples: ["guess 7 --params '{\"beds\":2}'"],
  },
  paint: {
    command: "paint <name>",
    summary: "Paints a room",
    http: "POST /rooms/:name/paint",
    view: {},
    follow: { action, params, progress: ({ done, trouble }) => ({ done, total: 4, isDone: done === 4, trouble }) },
    examples: ["paint seven"],
  },
  watch: {
    command: "watch",
    summary: "Who comes and goes",
    http: "GET /rooms/watch",
    view: { tables: { events: ["type", "data"] } },
    tails: "events",
    examples: ["watch"],
  },
  check: {
    command: "check",
    summary: "Whether all is well",
    http: "GET /rooms/check",
    view: {},
    fails: ({ ok }) => ok === false,
    examples: ["check"],
  },
  dump: {
    command: "rooms dump",
    summary: "All rooms",
    http: "GET /rooms/dump",
    view: {},
    lines: "lines",
    examples: ["rooms dump"],
  },
});
export const commands = commandsOf(table);

/** A terminal without colours; `answers` are those of the person at it. */
export function paper(width?: number, answers?: boolean[]) {
  const [written, notes, busy] = [[], [], []] as string[][];
  const terminal: Terminal = {
    width,
    paint: (_style, text) => text,
    write: text => written!.push(text),
    note: text => notes!.push(text),
    busy: text => text !== undefined && busy!.push(text),
    ...(answers && { confirm: async () => answers.shift() ?? false }),
  };
  return { terminal, written: written!, notes: notes!, busy: busy! };
}
