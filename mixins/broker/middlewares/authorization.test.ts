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
        permission: "reports:read",
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

test("a cached answer for an allowed user never reaches another one, neither when it is stored nor while it is computed", async () => {
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

test("a user without the role does not learn which params would be valid", () =>
  expect(as(["reader"], "x" as never)).rejects.toMatchObject(FORBIDDEN));
