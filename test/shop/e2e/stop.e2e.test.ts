// The shop as a process: how it ends.
import { mkdtemp, rm } from "node:fs/promises";
import { Agent, request } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterEach, beforeEach, expect, test } from "@jest/globals";
import { newId } from "@valence/runtime/kernel";
import { until } from "@valence/runtime/testing";
import { orderOf, Shop } from "../support/shop.ts";

let folder: string;
let shop: Shop | undefined;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "stop-"));
});
afterEach(async () => {
  await shop?.stop();
  shop = undefined;
  await rm(folder, { recursive: true, force: true });
});

const CALLERS = 20;

test("P1 SIGTERM under load: every request gets its answer, what was acknowledged reaches its end after the next start", async () => {
  shop = await Shop.start({ DATA_DIR: folder, RATE_LIMIT_PERCENT: "0" });
  const token = await shop.customer("stop");
  const [product] = (await shop.request("GET", "/api/v1/products?pageSize=1")).body.rows;
  const agent = new Agent({ keepAlive: true, maxSockets: CALLERS });
  const acknowledged: string[] = [];
  const cut: string[] = [];
  const statuses = new Set<number>();
  const exited = new Promise<number | null>(resolve => shop!.child.process.once("exit", resolve));
  const place = () =>
    new Promise<boolean>(resolve => {
      let answered = false;
      const body = JSON.stringify(orderOf([{ productId: product.id, quantity: 1 }]));
      const headers = {
        Authorization: `Bearer ${token}`,
        "Content-Type": "application/json",
        "Content-Length": Buffer.byteLength(body),
        "Idempotency-Key": newId(),
      };
      const sent = request(`${shop!.url}/api/v1/orders`, { agent, method: "POST", headers }, response => {
        let text = "";
        response.on("data", chunk => (text += chunk));
        response.on("end", () => {
          answered = true;
          statuses.add(response.statusCode!);
          if (response.statusCode === 201) acknowledged.push(JSON.parse(text).id);
          resolve(true);
        });
      });
      sent.on("error", (error: NodeJS.ErrnoException) => {
        // A refused connection is fine: the port is closed. One that is reset after it was accepted is not.
        if (!answered && error.code !== "ECONNREFUSED") cut.push(error.code ?? error.message);
        resolve(false);
      });
      sent.end(body);
    });
  const callers = Array.from({ length: CALLERS }, async () => {
    while (await place());
  });
  await until("orders are placed", () => acknowledged.length > 50);
  // A second signal while the process drains, as impatient supervisors send it. Sent at once, the kernel would merge
  // the two.
  shop.child.process.kill("SIGTERM");
  await sleep(300);
  shop.child.process.kill("SIGTERM");
  expect(await exited).toBe(0);
  await Promise.all(callers);
  agent.destroy();
  expect(cut).toEqual([]);
  expect([...statuses].filter(status => status !== 201 && status !== 503)).toEqual([]);

  await shop.start();
  await until("every acknowledged order has ended", async () => {
    const answers = await Promise.all(acknowledged.map(id => shop!.request("GET", `/api/v1/orders/${id}`, { token })));
    expect(answers.map(({ status }) => status).filter(status => status !== 200)).toEqual([]);
    return answers.every(({ body }) => ["shipped", "rejected"].includes(body.status));
  });
  expect(await shop.child.end("SIGINT")).toBe(0);
});
