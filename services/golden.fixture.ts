// For tests: released shapes are frozen as samples beside their service.
//
//   events/order.placed.v1.json    the data of an event, as version 1 of it was recorded
//   snapshots/order.v1.json        { events: ["order.placed.v1", …], state }: what state number 1 made of these samples
//
// A sample is never edited. A changed event gets a new version, an upcaster and a new sample; a changed fold gets a new
// `snapshotSchema` and a new sample: without it, states of the old shape would be taken for new ones.
import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { basename, join } from "node:path";
import { compileSchema, strictObject, type AnyContract } from "../mixins/contract/index.ts";
import { deepFreeze, evolveAll, type Actor, type PlainEvent } from "../mixins/actor/index.ts";
import { upcast } from "../mixins/event-store/index.ts";

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
  const current = `${actor.contract.actor}.v${actor.snapshotSchema ?? 1}`;
  assert.ok(namesIn(join(folder, "snapshots")).includes(current), `no golden sample snapshots/${current}.json`);
  const { events, state } = read(folder, "snapshots", current) as { events: string[]; state: unknown };
  const folded = evolveAll(
    actor,
    deepFreeze(actor.initial()),
    events.map(name => decodeSample(actor, folder, name)),
  );
  assert.deepEqual(folded, state, `${current}: the fold has changed; raise snapshotSchema and add a sample`);
  const found = compileSchema(strictObject(actor.contract.state))(folded);
  assert.equal(found, true, `${current} breaks the contract: ${JSON.stringify(found)}`);
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
