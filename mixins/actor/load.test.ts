import { expect, test } from "@jest/globals";
import type { StoredEvent } from "../event-store/index.ts";
import { Purse } from "./account.fixture.ts";
import type { Actor } from "./index.ts";
import { foldStored } from "./load.ts";

test("a long stream is folded a chunk a turn, so that others go between", async () => {
  let turns = 0;
  const turned = (): void => void (turns++, setImmediate(turned).unref());
  setImmediate(turned).unref();
  const turnsSeen = new Set<number>();
  const Watching: Actor = {
    ...(Purse as Actor),
    evolve: { "purse.noted": state => (turnsSeen.add(turns), state) },
  };
  const noted = { type: "purse.noted", schemaVersion: 1, data: "{}", metadata: "", at: "", stream: "purse.a" };
  const events: StoredEvent[] = Array.from({ length: 30 }, (_, i) => ({ ...noted, position: i + 1, version: i + 1 }));
  await foldStored(Watching, { state: {}, version: 0 }, events, 10);
  expect(turnsSeen.size).toBe(3);
});

test("an event that cannot be read is named by its place", async () => {
  const event = { type: "purse.noted", schemaVersion: 1, data: "{}", metadata: "", at: "", stream: "purse.a" };
  const second: StoredEvent = { ...event, position: 2, version: 2 };
  const reading = (change: Partial<StoredEvent>, evolve: object = {}) =>
    foldStored({ ...(Purse as Actor), evolve } as Actor, { state: {}, version: 1 }, [{ ...second, ...change }], 10);
  const throwing = () => {
    throw new TypeError("no purse");
  };
  await expect(reading({ type: "purse.lost" })).rejects.toThrow(/^purse\.a@2: .*purse\.lost/);
  await expect(reading({ data: "{" })).rejects.toThrow(/^purse\.a@2: .*JSON/);
  await expect(reading({}, { "purse.noted": throwing })).rejects.toThrow("purse.a@2: no purse");
});
