import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { newId } from "../../kernel/index.ts";
import { startLibrary, type Library } from "../library.fixture.ts";
import { STEPS } from "../pipeline.ts";
import { timing } from "./server-timing.ts";

let gateway: Library;
beforeAll(async () => {
  gateway = await startLibrary({
    "shelves.get": async () => {
      await new Promise(resolve => setTimeout(resolve, 20));
      return { items: [] };
    },
  });
});
afterAll(() => gateway.stop());

const timesFor = async (roles: string[]) => {
  const token = await gateway.token(newId(), roles);
  const { status, headers } = await gateway.http("GET", "/api/v1/shelf", { token });
  expect(status).toBe(200);
  return headers.get("server-timing");
};

test("an administrator sees where the time went, and nobody else does", async () => {
  expect(await timesFor(["reader"])).toBeNull();
  const times = await timesFor(["reader", "admin"]);
  expect(times).toMatch(/^(?:[a-z]+;dur=\d+\.\d\d, )+total;dur=\d+\.\d\d$/);
  const [, action] = /action;dur=([\d.]+)/.exec(times!)!;
  expect(Number(action)).toBeGreaterThan(15);
});

test("a refusal says it too, and a public read to nobody", async () => {
  const timesOf = async (path: string) => {
    const token = await gateway.token(newId(), ["reader", "admin"]);
    return (await gateway.http("GET", path, { token })).headers.get("server-timing");
  };
  expect(await timesOf("/api/v1/shelf?colour=red")).toMatch(/identify;dur=[^]*total;dur=/);
  expect(await timesOf("/api/v1/books")).toBeNull();
});

test("every step of the pipeline has a name", () => {
  expect(STEPS).toHaveLength(gateway.service.pipeline.length);
});

test("a step that took no time is left out, and the last one lasts to the end", () => {
  const marks = [0, 5, 5.001].map((began, at) => ({ at, began }));
  expect(timing(["a", "b", "c"], marks, 8)).toBe("a;dur=5.00, c;dur=3.00, total;dur=8.00");
});

test("a step that the route does not have leaves no gap in the times of the others", () => {
  const marks = [
    { at: 0, began: 0 },
    { at: 2, began: 5 },
  ];
  expect(timing(["a", "b", "c"], marks, 8)).toBe("a;dur=5.00, c;dur=3.00, total;dur=8.00");
});
