import { afterEach, beforeEach, expect, test } from "@jest/globals";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { ListedService } from "../contract/index.ts";
import { eventCatalogue } from "./event-catalogue.ts";

type Described = Pick<ListedService, "name" | "fullName" | "metadata">;
const text = { type: "string" };
const shape = (...fields: string[]) => ({
  type: "object",
  required: fields,
  properties: Object.fromEntries(fields.map(field => [field, text])),
  additionalProperties: false,
});
const service = (fullName: string, metadata: object, name = fullName): Described => ({ name, fullName, metadata });
const LOANS = service("loans", {
  events: { "loan.made": 2, "loan.ended": 1 },
  eventSchemas: { "loan.made": shape("book", "pin"), "loan.ended": shape() },
  secrets: ["pin"],
});

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "catalogue-"));
});
afterEach(() => rmSync(folder, { recursive: true }));
const catalogueOf = (...services: Described[]) =>
  eventCatalogue(services, { namespace: "library", folder, partitions: 16 });
const write = (path: string, value: unknown): void => {
  mkdirSync(join(folder, path, ".."), { recursive: true });
  writeFileSync(join(folder, path), JSON.stringify(value));
};

test("each owner of events is there, with its topic and subject, and the services that take each of them", () => {
  const channels = catalogueOf(
    service("shelves", { takes: { "loan.made": true } }),
    service("audit", { takes: { "*": true } }),
    service("books", {}),
    LOANS,
  );
  expect(channels).toHaveLength(1);
  const { events, ...channel } = channels[0]!;
  expect(channel).toEqual({
    owner: "loans",
    source: "/library/loans",
    topic: "library.loans",
    partitions: 16,
    subject: "EVENTS-library.loans.*",
  });
  expect(events.map(({ type, consumers }) => [type, consumers])).toEqual([
    ["loan.ended", ["audit"]],
    ["loan.made", ["audit", "shelves"]],
  ]);
});

test("the versions before and the golden samples come from the service's folder, both without secrets", () => {
  write("loans/events.json", { "loan.made": { 1: shape("title", "pin"), 2: shape("book", "pin") } });
  write("loans/events/loan.made.v1.json", { title: "Dune", pin: "1234" });
  const [, made] = catalogueOf(LOANS)[0]!.events;
  expect(made!.versions).toMatchObject([
    {
      cloudType: "loan.made.v1",
      schema: { required: ["title"], properties: { title: text } },
      example: { title: "Dune" },
    },
    { cloudType: "loan.made.v2", schema: { required: ["book"] }, example: { book: "sample" } },
  ]);
  expect(JSON.stringify(made)).not.toMatch(/pin|1234/);
});

test("of two releases that serve side by side the newer one speaks", () => {
  const older = service("loans", { events: { "loan.made": 1 }, eventSchemas: { "loan.made": shape("title") } });
  for (const services of [
    [older, LOANS],
    [LOANS, older],
  ])
    expect(catalogueOf(...services)[0]!.events.map(({ type, version }) => [type, version])).toEqual([
      ["loan.ended", 1],
      ["loan.made", 2],
    ]);
});

test("a release that does not tell its shapes has no events here", () =>
  expect(catalogueOf(service("loans", { events: { "loan.made": 1 } }))[0]!.events).toEqual([]));

test("whatever a node announces, no file outside of the services' folder is read", () => {
  writeFileSync(join(folder, "events.json"), JSON.stringify({ "loan.made": { 1: shape("outside") } }));
  mkdirSync(join(folder, "services"));
  const announced = { ...LOANS.metadata, events: { "loan.made": 2, "../../x": 1, "loan.odd": "1" }, secrets: "pin" };
  const channels = eventCatalogue([service("v1.loans", announced, "..")], {
    namespace: "",
    folder: join(folder, "services"),
    partitions: 16,
  });
  expect(channels[0]!.events.map(({ type, versions }) => [type, versions.length])).toEqual([["loan.made", 1]]);
  expect(catalogueOf(service("odd", { events: 1, takes: null, eventSchemas: 2 }))).toEqual([]);
});

test("public events are a channel for each topic, and one for those that go to webhooks alone", () => {
  write("desk/events.json", { "library.loan.ended": { 1: shape("title") } });
  const publicEvents = {
    "library.loan.ended": { version: 2, schema: shape("book"), from: ["loan.ended"], topic: "public.loans" },
    "library.loan.made": { version: 1, schema: shape("book"), from: ["loan.made"] },
    "library.broken": { version: "1" },
    "../library": { version: 1, schema: shape() },
  };
  const [webhooks, topic, ...others] = catalogueOf(service("desk", { publicEvents }));
  expect([topic, webhooks]).toMatchObject([
    { owner: "desk", isPublic: true, source: "/library/desk", topic: "library.public.loans" },
    { owner: "desk", isPublic: true, events: [{ type: "library.loan.made" }] },
  ]);
  expect([webhooks!.topic, webhooks!.subject, others]).toEqual([undefined, undefined, []]);
  expect(topic!.events[0]!.versions.map(({ cloudType }) => cloudType)).toEqual([
    "library.loan.ended.v1",
    "library.loan.ended.v2",
  ]);
});
