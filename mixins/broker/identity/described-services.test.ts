import { expect, test } from "@jest/globals";
import type { Role } from "../../kernel/index.ts";
import { believed } from "./described-services.ts";

const desk: Role = {
  name: "desk",
  services: ["members", "loans"],
  actors: ["member", "loan"],
  publicKey: undefined as never,
  anyNodeId: false,
};
const service = (name: string, metadata: object): object => ({
  name,
  fullName: name,
  actions: {},
  events: {},
  metadata,
});

test.each([
  ["hosts its actors", { actor: "loan", events: { "loan.made": 1 } }],
  ["only records", { records: "member", events: { "member.logged-in": 1 } }],
])("a service that %s owns the log that its role names", (_what, metadata) => {
  const name = "actor" in metadata ? "loans" : "members";
  expect(believed([service(name, metadata)], desk)).toMatchObject({ refused: [], services: [{ metadata }] });
});

test.each([
  { actor: "book", events: { "book.bought": 1 } },
  { records: "book", events: { "book.bought": 1 } },
  { records: "member", events: { "book.bought": 1 } },
  { events: { "member.logged-in": 1 } },
])("a log that its role does not name is nobody's: %j", metadata => {
  const { services, refused } = believed([service("members", { ...metadata, consumers: {} })], desk);
  expect(refused).toEqual(["the log of members"]);
  expect(services).toEqual([expect.objectContaining({ metadata: { consumers: {} } })]);
});
