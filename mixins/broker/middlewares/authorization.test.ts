import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { ServiceBroker } from "moleculer";
import { brokerOptions } from "../index.ts";
import { readEnvironment } from "../../kernel/index.ts";

let broker: ServiceBroker;
let answer: (revenue: number) => void;
let asked = 0;
beforeAll(async () => {
  broker = new ServiceBroker({ ...brokerOptions(readEnvironment({})), logger: false });
  broker.createService({
    name: "reports",
    actions: {
      revenue: {
        roles: ["admin"],
        cache: true,
        params: { year: "number" },
        handler: () => {
          asked++;
          return new Promise<number>(resolve => (answer = resolve));
        },
      } as object,
    },
  });
  await broker.start();
});
afterAll(() => broker.stop());

const as = (roles: string[] | undefined, year = 2026) =>
  broker.call("reports.revenue", { year }, { meta: roles ? { user: { id: "u", roles } } : {} });
const FORBIDDEN = { code: 403, type: "FORBIDDEN", data: { family: "refusal" } };

test("what an action caches for those who may is not told to those who may not: not when it is warm, nor while it is asked for", async () => {
  await expect(as(["reader"])).rejects.toMatchObject(FORBIDDEN);
  expect(asked).toBe(0);
  const first = as(["admin"]);
  await expect(as(["reader"])).rejects.toMatchObject(FORBIDDEN);
  answer(4711);
  expect(await first).toBe(4711);
  await expect(as(["reader"])).rejects.toMatchObject(FORBIDDEN);
  await expect(as([])).rejects.toMatchObject(FORBIDDEN);
  expect([await as(["admin", "reader"]), await as(undefined), asked]).toEqual([4711, 4711, 1]);
});

test("one who may not ask does not learn what would be a valid question", () =>
  expect(as(["reader"], "x" as never)).rejects.toMatchObject(FORBIDDEN));
