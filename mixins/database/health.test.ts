import { expect, jest, test } from "@jest/globals";
import { answerState, ReplicaHealth } from "./health.ts";

const free = { used: 1, waiting: 0, size: 4 };
const answers = async (): Promise<void> => {};

test("a database that answers, one that is slow, one for which calls wait, and a file with a long log", async () => {
  expect(await answerState("db:5432/loans", free, answers)).toMatchObject({
    status: "ok",
    message: expect.stringMatching(/^db:5432\/loans answers in [\d.]+ ms; 1 of 4 connections in use, 0 calls wait/),
    figures: { used: 1, waiting: 0, size: 4 },
  });
  const clock = jest.spyOn(performance, "now").mockReturnValueOnce(0).mockReturnValueOnce(300);
  expect(await answerState("db", free, answers)).toMatchObject({ status: "warn", figures: { latencyMs: 300 } });
  clock.mockRestore();
  expect(await answerState("db", { ...free, waiting: 2 }, answers)).toMatchObject({
    status: "warn",
    advice: expect.stringContaining("DATABASE_POOL_SIZE"),
  });
  expect(await answerState("file", free, answers, { databaseBytes: 1, walBytes: 400 * 1024 ** 2 })).toMatchObject({
    status: "warn",
    message: expect.stringContaining("its WAL has 400 MB"),
  });
  await expect(answerState("db", free, () => Promise.reject(new Error("gone")))).rejects.toThrow("gone");
});

test("a replica is as the last look at it says, and the measurement hears of it too", () => {
  const seen: unknown[] = [];
  const replica = new ReplicaHealth(lagMs => seen.push(lagMs));
  expect(replica.state().status).toBe("warn");
  replica.observe(12.4);
  expect(replica.state()).toEqual({ status: "ok", message: "it is 12 ms behind", figures: { lagMs: 12 } });
  replica.observe(undefined);
  expect(replica.state().status).toBe("warn");
  expect(seen).toEqual([12.4, undefined]);
});
