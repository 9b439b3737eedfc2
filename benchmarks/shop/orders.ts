// Whole orders per second: `POST /orders` over HTTP with authentication, the saga completing each one, all projections
// on. The load keeps a bounded number of orders open, so accepted orders are also completed: the backlog at the end is
// no larger than after 10 s. For comparison: orders accepted when the load does not wait for the sagas.
//
//   node benchmarks/orders.ts [--seconds 60] [--connections 64] [--open 400]
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Shop } from "../../test/shop/support/shop.ts";
import { option, report } from "../harness.ts";
import { OrderLoad, orderRow, stock } from "./order-load.ts";

const seconds = option("seconds", 60);
const connections = option("connections", 64);
const openMax = option("open", 400);

const folder = await mkdtemp(join(tmpdir(), "valence-orders-"));
const admin = { email: "admin@example.com", password: "benchmarks only" };
const shop = await Shop.start({
  DATA_DIR: folder,
  ADMIN_EMAIL: admin.email,
  ADMIN_PASSWORD: admin.password,
  // One client sends what thousands do: its requests are counted, and none is refused.
  RATE_LIMIT_PERCENT: "1000000",
});
let load: OrderLoad | undefined;
try {
  const tokens = { admin: await shop.login(admin.email, admin.password), customer: await shop.customer("bench") };
  load = new OrderLoad(shop, tokens, await stock(shop, tokens.admin), connections);
  await load.run(5, openMax);
  const rows = [orderRow(`whole orders, at most ${openMax} open`, await load.run(seconds, openMax))];
  await load.rest();
  const unbounded = await load.run(Math.min(10, seconds), Number.POSITIVE_INFINITY);
  rows.push(orderRow("accepted only, without waiting for the sagas", unbounded));
  await report("orders", rows);
} finally {
  load?.close();
  await shop.child.end("SIGTERM");
  await rm(folder, { recursive: true });
}
