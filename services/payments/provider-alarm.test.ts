import { expect, test } from "@jest/globals";
import { ProviderAlarm } from "./provider-alarm.ts";

test("is told at once, then once a minute for as long as it lasts, counted each time, and ends with an answer", () => {
  const lines: string[] = [];
  let counted = 0;
  let now = 5_000;
  const told = {
    logger: { error: (line: string) => void lines.push(line), info: (line: string) => void lines.push(line) },
    refusals: { add: () => void counted++ },
  };
  const alarm = new ProviderAlarm(told, () => now);
  expect(alarm.state()).toEqual({ misconfigured: false, refused: 0 });
  for (; now < 125_000; now += 1_000) alarm.raise("HTTP 401");
  expect(lines).toHaveLength(2);
  expect(lines[0]).toMatch(/refuses our requests.*HTTP 401.*held/);
  expect(counted).toBe(120);
  expect(alarm.state()).toMatchObject({
    misconfigured: true,
    refused: 120,
    reason: "HTTP 401",
    since: expect.any(String),
  });
  alarm.end();
  alarm.end();
  expect(lines).toHaveLength(3);
  expect(alarm.state()).toEqual({ misconfigured: false, refused: 0 });
  // The provider refuses some requests and accepts others.
  alarm.raise("HTTP 403");
  alarm.end();
  expect(lines).toHaveLength(5);
  for (let i = 0; i < 100; i++) {
    alarm.raise("HTTP 403");
    alarm.end();
  }
  expect(lines).toHaveLength(5);
  now += 60_000;
  alarm.raise("HTTP 403");
  expect(lines).toHaveLength(6);
});
