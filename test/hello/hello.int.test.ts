// The runtime without the shop: a small domain of its own, written with nothing but `mixins/`. It has a tsconfig of its
// own, so that neither domain sees the contracts of the other.
import { afterAll, beforeAll, expect, test } from "@jest/globals";
import type { ServiceBroker } from "moleculer";
import { typedCall, type Call } from "@valence/runtime/contract";
import { until } from "@valence/runtime/testing";
import { newBrokers, type TestBrokers } from "@valence/runtime/testing/broker";
import balances from "./balances/balances.service.ts";
import loyalty from "./loyalty/loyalty.service.ts";
import redemption from "./redemption/redemption.service.ts";
import rewards from "./rewards/rewards.service.ts";

let brokers: TestBrokers;
let broker: ServiceBroker;
let call: Call;

async function start() {
  broker = await brokers.start(loyalty, rewards, redemption, balances);
  call = typedCall(broker);
}
beforeAll(async () => {
  brokers = await newBrokers();
  await start();
});
afterAll(() => brokers.stop());

const balanceOf = async (id: string) => (await call("loyalty.get", { id, consistent: true })).state.balance;
const openWithBonus = async (id: string) => {
  await call("loyalty.open", { id, owner: id });
  await until("the bonus has arrived", async () => (await balanceOf(id)) === 100);
};
const hasEnded = async (id: string, state: "completed" | "compensated"): Promise<boolean> => {
  const { sagas } = await broker.call<{ sagas: { id: string }[] }, object>("redemption.sagas", { state });
  return sagas.some(saga => saga.id.startsWith(`redemption.${id}`));
};

test("a reactor gives each account its bonus once, and the projection follows", async () => {
  await openWithBonus("ada");
  const { version } = await call("loyalty.earn", { id: "ada", points: 5 });
  expect(version).toBe(3);
  expect(await call("balances.of", { id: "ada", after: `ada@${version}` })).toEqual({ points: 105 });
});

test("P3 a repeated command id gets the first answer and changes nothing", async () => {
  await openWithBonus("bob");
  const params = { id: "bob", points: 30, rewardId: "none" };
  const first = await call("loyalty.redeem", params, { commandId: "client:bob:1" });
  expect(await call("loyalty.redeem", params, { commandId: "client:bob:1" })).toEqual(first);
  const events = await call("loyalty.history", { id: "bob" });
  expect(events.events.filter(({ type }) => type === "account.redeemed")).toHaveLength(1);
});

test("P5 a saga completes, and one that is refused gives everything back", async () => {
  await openWithBonus("eve");
  await call("loyalty.redeem", { id: "eve", points: 30, rewardId: "mug" });
  await until("the mug has shipped", () => hasEnded("eve", "completed"));
  expect(await balanceOf("eve")).toBe(70);

  await openWithBonus("joe");
  await call("loyalty.redeem", { id: "joe", points: 30, rewardId: "car" });
  await until("the points are back", async () => (await balanceOf("joe")) === 100);
  await until("the saga has ended", () => hasEnded("joe", "compensated"));
  expect(await call("rewards.reserve", { rewardId: "car", redemption: "another" })).toEqual({ left: 0 });
});

test("P6 bad input is refused by field and changes nothing", async () => {
  await openWithBonus("kim");
  const bad: [object, string][] = [
    [{ id: "kim", points: -1, rewardId: "x" }, "points"],
    [{ id: "kim", points: 1 }, "rewardId"],
    [{ id: "kim", points: 1, rewardId: "x", admin: true }, "admin"],
  ];
  for (const [params, field] of bad)
    await expect(broker.call("loyalty.redeem", params)).rejects.toMatchObject({ code: 422, data: [{ field }] });
  await expect(broker.call("loyalty.redeem", { id: "kim", points: 9_999, rewardId: "x" })).rejects.toMatchObject({
    code: 409,
    type: "NOT_ENOUGH_POINTS",
  });
  expect((await call("loyalty.get", { id: "kim" })).version).toBe(2);
});

test("P1 after a restart everything is as it was, and nothing happens twice", async () => {
  await openWithBonus("liz");
  await broker.stop();
  await start();
  expect(await balanceOf("liz")).toBe(100);
  const { version } = await call("loyalty.earn", { id: "liz", points: 1 });
  // On a busy machine the consumers may get their leases later than a read is willing to wait.
  await until("the balances have caught up", () =>
    call("balances.of", { id: "liz", after: `liz@${version}` }).then(
      ({ points }) => points === 101,
      error => error.type !== "NOT_CAUGHT_UP" && Promise.reject(error),
    ),
  );
});
