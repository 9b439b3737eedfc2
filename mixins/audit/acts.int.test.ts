import { afterAll, beforeAll, expect, test } from "@jest/globals";
import type { ServiceBroker, ServiceSchema } from "moleculer";
import { Refusal } from "../kernel/index.ts";
import { newBrokers } from "../testing/broker.ts";
import { until } from "../testing/index.ts";
import { recordingActs } from "./acts.ts";
import { Audit } from "./mixin.ts";

let house: Awaited<ReturnType<typeof newBrokers>>;
let broker: ServiceBroker;
/** Called while the door is opened. */
let whileOpening = async (): Promise<void> => {};

const doors: ServiceSchema = recordingActs(
  {
    name: "doors",
    actions: {
      open: {
        visibility: "public",
        async handler({ params }: any) {
          await whileOpening();
          if (params.code === "wrong") throw new Refusal("WRONG_CODE", { message: "wrong", code: 403 } as never);
          if (params.code === "jammed") throw new TypeError("jammed");
          return { opened: params.id };
        },
      },
      enter: () => ({ user: { id: "bob" } }),
    } as never,
  },
  "door",
  {
    open: { isAnnounced: true, subject: ({ params }) => params.id, details: ({ id }) => ({ id }) },
    enter: { subject: (_ctx, answer) => answer?.user.id, person: answer => answer.user.id },
  },
);

beforeAll(async () => {
  house = await newBrokers();
  broker = await house.start(doors, Audit());
});
afterAll(() => house.stop());

const open = (id: string, code: string): Promise<unknown> =>
  broker.call("doors.open", { id, code }, { meta: { user: { id: "ann", roles: [] } }, requestID: "r-1" } as object);
/** Records of a subject, the oldest first. */
const recordsOf = (subject: string, count: number): Promise<any[]> =>
  until(
    async () => (await broker.call<any, object>("audit.list", { subject })).records.reverse(),
    records => records.length >= count,
  );

test("an act is recorded before it is done and after, with who asked and nothing that was not to be told", async () => {
  await open("d1", "secret");
  const records = await recordsOf("door.d1", 2);
  const who = { person: "ann", requestId: "r-1", node: broker.nodeID };
  const data = { action: "open", details: { id: "d1" } };
  expect(records).toMatchObject([
    { type: "door.requested", ...who, data },
    { type: "door.answered", ...who, data: { ...data, outcome: "done" } },
  ]);
  expect(JSON.stringify(records)).not.toContain("secret");
});

test("a refusal and a failure are recorded, and reach the caller as they are", async () => {
  await expect(open("d2", "wrong")).rejects.toMatchObject({ type: "WRONG_CODE" });
  await expect(open("d2", "jammed")).rejects.toThrow("jammed");
  const outcomes = (await recordsOf("door.d2", 4)).flatMap(({ data: { outcome, error } }) =>
    outcome ? [[outcome, error] as unknown] : [],
  );
  expect(outcomes).toEqual([
    ["refused", "WRONG_CODE"],
    ["failed", "ERROR"],
  ]);
});

test("a person who becomes known by the act is the one who acted", async () => {
  await broker.call("doors.enter");
  expect(await recordsOf("door.bob", 1)).toMatchObject([{ type: "door.answered", person: "bob" }]);
});

test("an act that cannot be recorded is not done", async () => {
  let opened = 0;
  whileOpening = async () => void opened++;
  const { actors } = broker.getLocalService("doors") as any;
  const { execute } = actors;
  actors.execute = () => Promise.reject(new Error("the disk is full"));
  await expect(open("d3", "right")).rejects.toThrow("the disk is full");
  actors.execute = execute;
  expect(opened).toBe(0);
});
