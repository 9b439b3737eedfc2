// A node that fulfils a dozen wishes, prints their outcomes, and leaves. Tests kill it on its way and run it again in
// the same folder: `node crash.fixture.ts <folder>`.
import { COMMAND_ID } from "../kernel/index.ts";
import { startFulfilment } from "./fulfilment-services.fixture.ts";

const { broker, rests, happened } = await startFulfilment({
  folder: process.argv[2]!,
  env: process.env as Record<string, string>,
});
const once = (commandId: string): object => ({ headers: { [COMMAND_ID]: commandId } });

for (const id of ["bolts", "nuts"]) await broker.call("shelves.fill", { id, quantity: 100 }, once("fill"));
const lines = [
  { shelf: "bolts", quantity: 2 },
  { shelf: "nuts", quantity: 3 },
];
const ids = Array.from({ length: 12 }, (_, i) => `w${i}`);
await Promise.all(
  ids.map((id, i) => broker.call("wishes.make", { id, lines, card: i % 3 === 0 ? "bad" : "good" }, once("make"))),
);
const states: Record<string, string> = {};
for (const id of ids) states[id] = (await rests(id)).state;
const shelf = async (id: string) =>
  (await broker.call<{ state: { parts: number; taken: object } }, object>("shelves.get", { id })).state;
const [bolts, nuts] = [await shelf("bolts"), await shelf("nuts")];
const said = {
  states,
  taken: { bolts: bolts.taken, nuts: nuts.taken },
  parts: { bolts: bolts.parts, nuts: nuts.parts },
  charged: happened("charge"),
  sent: happened("send"),
};
process.stdout.write(JSON.stringify(said));
await broker.stop();
