// For tests: released shapes are frozen as samples beside their service.
//
//   events/order.placed.v1.json    the data of an event, as version 1 of it was recorded
//   snapshots/order.v1.json        { events: ["order.placed.v1", …], state }: what state number 1 made of these samples
//   snapshots/order.v1.paid.json   likewise, for a history that ends in order.paid
//
// Each event of the contract ends one of the histories: what its fold does would else be hidden by the folds after it.
// A sample is never edited. A changed event gets a new version, an upcaster and a new sample; a changed fold gets a new
// `snapshotSchema` and new samples: without it, states of the old shape would be taken for new ones.
import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { basename, join } from "node:path";
import { compileSchema, strictObject, type AnyContract } from "@valence/runtime/contract";
import { deepFreeze, evolveAll, type Actor, type PlainEvent } from "@valence/runtime/actor";
import { upcast } from "@valence/runtime/event-store";

/** Checks a service's golden samples: each decodes, is in the contract and folds; none is missing. Throws AssertionError. */
export function checkGolden<K extends AnyContract>(actor: Actor<K>, folder: string): void {
  checkEvents(actor, folder);
  checkSnapshots(actor, folder);
}

function checkEvents(actor: Actor, folder: string): void {
  const { contract } = actor;
  const samples = namesIn(join(folder, "events"));
  for (const type of Object.keys(contract.events)) {
    const current = contract.versions[type] ?? 1;
    for (let version = 1; version <= current; version++)
      assert.ok(samples.includes(`${type}.v${version}`), `no golden sample events/${type}.v${version}.json`);
  }
  for (const name of samples) {
    const event = decodeSample(actor, folder, name);
    const found = compileSchema(strictObject(contract.events[event.type]))(event.data);
    assert.equal(found, true, `${name} breaks the contract: ${JSON.stringify(found)}`);
    evolveAll(actor, deepFreeze(actor.initial()), [event]);
  }
}

function checkSnapshots(actor: Actor, folder: string): void {
  const { contract } = actor;
  const current = `${contract.actor}.v${actor.snapshotSchema ?? 1}`;
  const samples = namesIn(join(folder, "snapshots")).filter(name => `${name}.`.startsWith(`${current}.`));
  const ends = samples.map(name => checkSnapshot(actor, folder, name));
  for (const type of Object.keys(contract.events))
    assert.ok(ends.includes(type), `no golden sample snapshots/${current}.*.json ends in ${type}`);
}

/** Answers the type of the last event. */
function checkSnapshot(actor: Actor, folder: string, name: string): string {
  const { events: names, state } = read(folder, "snapshots", name) as { events: string[]; state: unknown };
  const events = names.map(name => decodeSample(actor, folder, name));
  const folded = evolveAll(actor, deepFreeze(actor.initial()), events);
  assert.deepEqual(folded, state, `${name}: the fold has changed; raise snapshotSchema and add samples`);
  const found = compileSchema(strictObject(actor.contract.state))(folded);
  assert.equal(found, true, `${name} breaks the contract: ${JSON.stringify(found)}`);
  return events.at(-1)!.type;
}

function decodeSample({ contract, upcasters }: Actor, folder: string, name: string): PlainEvent {
  const [, type = "", version] = /^(.+)\.v(\d+)$/.exec(name) ?? [];
  assert.ok(type in contract.events, `${name}: the contract has no such event`);
  const data = read(folder, "events", name);
  return deepFreeze({
    type,
    data: upcast(type, Number(version), data, contract.versions[type] ?? 1, upcasters?.[type] ?? {}),
  });
}

const namesIn = (folder: string): string[] => readdirSync(folder).map(file => basename(file, ".json"));
const read = (folder: string, kind: string, name: string): unknown =>
  JSON.parse(readFileSync(join(folder, kind, `${name}.json`), "utf8"));
