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
