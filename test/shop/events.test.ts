// The catalogue of the shop's durable events: what services say, what is released, and what the documents tell of it.
import { beforeAll, expect, test } from "@jest/globals";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { definitionsIn } from "@valence/runtime/actor";
import {
  asyncApi,
  brokenPromises,
  compileSchema,
  releasedIn,
  unreleased,
  type EventChannel,
} from "@valence/runtime/contract";
import { withPublicEvents } from "@valence/runtime/stream";
import { readEnvironment } from "@valence/runtime/kernel";
import { declaredIn } from "../../mixins/cli/declared.ts";
import { channelsIn } from "../../mixins/cli/event-channels.ts";
import { eventPage } from "../../mixins/cli/event-page.ts";
import { serviceNames } from "../../mixins/operations/services.ts";

const FOLDER = "services";
const OWNERS = ["inventory", "orders", "payments", "shipping"];
const RELEASED = [...OWNERS, "integrations"];
let channels: readonly EventChannel[];
beforeAll(async () => {
  const services = serviceNames(FOLDER);
  channels = await channelsIn(FOLDER, services, readEnvironment({}, await declaredIn(FOLDER, services)));
});

test.each(RELEASED)(
  "%s: every event is released, and keeps what was; `npx valence events --release` writes it",
  async name => {
    const folder = join(FOLDER, name);
    const contract = await withPublicEvents((await definitionsIn(folder))!.contract, folder);
    const released = releasedIn(folder);
    expect([brokenPromises(contract, released), unreleased(contract, released)]).toEqual([[], []]);
  },
);

test("every owner is in the catalogue, with the services that take its events", () => {
  const owners = channels.map(({ owner }) => owner);
  expect(owners).toEqual(expect.arrayContaining(OWNERS));
  const placed = channels.flatMap(({ events }) => events).find(({ type }) => type === "order.placed")!;
  expect(placed.consumers).toEqual(expect.arrayContaining(["audit", "carts", "checkout", "order-views"]));
});

test("every example fits the shape that readers outside get, and the token of a payment is in none", () => {
  const misfits = channels.flatMap(({ events }) =>
    events.flatMap(({ versions }) =>
      versions.flatMap(({ cloudType, schema, example }) => {
        const found = compileSchema(schema)(structuredClone(example));
        return found === true ? [] : [{ cloudType, found }];
      }),
    ),
  );
  expect(misfits).toEqual([]);
  const text = JSON.stringify(asyncApi({ title: "Shop", version: "1", description: "" }, channels));
  expect(text).toContain("OrderPlacedV1");
  expect(text).not.toMatch(/tok_|"token"/);
});

test("docs/events.md is what the services say; `npx valence docs` writes it", () => {
  const page = readFileSync("docs/events.md", "utf8");
  expect(page).toBe(eventPage(page, channels));
});
