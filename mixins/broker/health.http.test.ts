import { connect, type Socket } from "node:net";
import { expect, test } from "@jest/globals";
import { ServiceBroker } from "moleculer";
import { until } from "../testing/index.ts";
import { freePort } from "../testing/servers.ts";
import { readEnvironment } from "../kernel/index.ts";
import { brokerOptions } from "./index.ts";

test("a node is ready once its services say that they are, and live before", async () => {
  const port = await freePort();
  const environment = readEnvironment({ HEALTH_PORT: `${port}` });
  const broker = new ServiceBroker({ ...brokerOptions(environment), logger: false });
  let isFilled = false;
  broker.createService({ name: "filling", methods: { ready: () => isFilled } });
  await broker.start();
  try {
    const ask = async (path: string) => {
      const response = await fetch(`http://127.0.0.1:${port}/health/${path}`);
      return { status: response.status, ...((await response.json()) as object) };
    };
    expect(await ask("live")).toMatchObject({ status: "live" });
    expect(await ask("ready")).toMatchObject({ type: "/problems/not-ready", detail: "not ready yet: filling" });
    isFilled = true;
    expect(await ask("ready")).toEqual({ status: "ready" });
  } finally {
    await broker.stop();
  }
});

test("connections that say nothing keep probes away for some seconds, not for half a minute", async () => {
  const port = await freePort();
  const environment = readEnvironment({ HEALTH_PORT: `${port}` });
  const broker = new ServiceBroker({ ...brokerOptions(environment), logger: false });
  await broker.start();
  const silent: Socket[] = [];
  try {
    for (let n = 0; n < 80; n++) silent.push(connect(port, "127.0.0.1").on("error", () => {}));
    await until("all are there", () => silent.every(socket => !socket.connecting));
    const isLive = () =>
      fetch(`http://127.0.0.1:${port}/health/live`).then(
        ({ ok }) => ok,
        () => false,
      );
    await until("a probe is answered", isLive, 12_000);
  } finally {
    for (const socket of silent) socket.destroy();
    await broker.stop();
  }
}, 40_000);
