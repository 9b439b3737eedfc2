// Without Redis each gateway of a cluster allows its share, by the gateways that the registry knows.
import { afterAll, test } from "@jest/globals";
import { until } from "../../testing/index.ts";
import { Nats } from "../../testing/servers.ts";
import { startLibrary, type Library } from "../library.fixture.ts";

const running: { stop(): Promise<unknown> }[] = [];
afterAll(async () => {
  for (const each of running.reverse()) await each.stop();
});

test("two gateways on one bus allow half each, and one that is left the whole", async () => {
  const nats = await Nats.start();
  running.push(nats);
  const start = async (NODEID: string): Promise<Library> =>
    startLibrary({}, [], { NATS_URL: nats.url, NODEID, RATE_LIMIT_PERCENT: "1", TRUSTED_PROXIES: "1" });
  const [one, other] = [await start("one"), await start("other")];
  running.push(one);
  let clients = 0;
  const allowed = async (gateway: Library) => {
    const headers = { "x-forwarded-for": `192.0.2.${++clients}` };
    const answers = await Promise.all(
      Array.from({ length: 10 }, () => gateway.http("GET", "/api/v1/books", { headers })),
    );
    return answers.filter(({ status }) => status === 200).length;
  };
  // One percent of 600 requests a second. The number of gateways is counted anew every five seconds.
  await until(
    "both know of each other",
    async () => (await allowed(one)) === 3 && (await allowed(other)) === 3,
    15_000,
  );
  await other.stop();
  await until("the other has gone", async () => (await allowed(one)) === 6, 15_000);
}, 60_000);
