// What a stream is given at a start. A single server takes no replicas, so the part that asks is made up here.
import { expect, test } from "@jest/globals";
import { DiscardPolicy, type JetStreamManager, type StreamConfig } from "nats";
import { Channel } from "./channel.ts";

test("a stream keeps the replicas that an operator gave it, when a start brings its other bounds up to date", async () => {
  const channel = new Channel("", "loans");
  const given: Partial<StreamConfig>[] = [];
  const managerOf = (config: object) =>
    ({
      streams: {
        info: async () => ({ config }),
        update: async (_name: string, config: Partial<StreamConfig>) => void given.push(config),
      },
    }) as unknown as JetStreamManager;
  await channel.ensure(managerOf({ num_replicas: 3, discard: DiscardPolicy.New }));
  expect(given).toMatchObject([{ num_replicas: 3, discard: DiscardPolicy.Old }]);
  expect(await channel.ensure(managerOf(given[0]!))).toBe(true);
  expect(given).toHaveLength(1);
});
