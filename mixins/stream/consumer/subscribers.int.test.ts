import { expect, test } from "@jest/globals";
import { Subscribers } from "../siblings.ts";
import { newBrokers } from "../../testing/broker.ts";
import { until } from "../../testing/index.ts";
import { consuming, inside, writer } from "./writer.fixture.ts";

const owner = { name: "owners", metadata: {} };

test("P4 a service that consumes is remembered while it is away, also by an owner that was restarted meanwhile", async () => {
  const house = await newBrokers();
  try {
    const first = await house.start(owner as never);
    const subscribers = await Subscribers.open(inside(first, "owners"));
    expect(await subscribers.all()).toEqual([]);
    first.createService(consuming("readers", writer()));
    const here = { service: "readers", isAvailable: true, hasSagas: false };
    expect(
      await until(
        () => subscribers.all(),
        all => all.length === 1,
      ),
    ).toEqual([here]);
    subscribers.stop();
    await first.stop();

    const second = await house.start(owner as never);
    const again = await Subscribers.open(inside(second, "owners"));
    expect(await again.all()).toEqual([{ ...here, isAvailable: false }]);
    await again.forget(["readers"]);
    expect(await again.all()).toEqual([]);
    second.createService(consuming("readers", writer()));
    await until(
      () => again.all(),
      all => all.length === 1,
    );
    await again.forget(["readers"]);
    expect(await again.all()).toEqual([here]);
    again.stop();
  } finally {
    await house.stop();
  }
});
