// Released shapes are frozen as samples beside their service, and every later release has to read them:
//
//   events/booking.held.v1.json        the data of an event, as version 1 of it is recorded
//   events/booking.held.v1.least.json  another sample of the same version
//   snapshots/booking.v1.json          { events: ["booking.held.v1", …], state }: the state of schema 1 after these samples
//   snapshots/booking.v1.paid.json     another, for a history that ends in booking.paid
//
// A sample is never edited. An event whose shape changes gets a new version, an upcaster and new samples; a fold that changes
// gets a new `snapshotSchema` and new samples: without it, states of the old shape would be taken for new ones. `freeze` writes
// the samples that are missing.
import assert from "node:assert/strict";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { basename, join } from "node:path";
import { definitionsIn, deepFreeze, evolveAll, type Actor, type PlainEvent } from "../actor/index.ts";
import {
  brokenPromises,
  compileSchema,
  releasedIn,
  strictObject,
  tellBroken,
  type AnyContract,
} from "../contract/index.ts";
import { upcast } from "../event-store/index.ts";
import { withPublicEvents } from "../stream/index.ts";
import { missingIn, sizeOf, told } from "./coverage.ts";

/**
 * Checks the golden samples of the service in a folder, as `checkGolden` does, with the definitions that it finds there; and
 * its events, public ones as well, against their released shapes (`events.json`), as `npx valence events --check` does.
 * Throws AssertionError. A service without events has none.
 */
export async function checkFrozen(folder: string): Promise<void> {
  const { contract, actor } = (await definitionsIn(folder)) ?? {};
  assert.ok(contract, `${folder} has no contract.ts`);
  checkReleased(await withPublicEvents(contract, folder), folder);
  if (Object.keys(contract.events).length === 0) return;
  assert.ok(actor, `${folder}: no module defines the actor of the events of "${contract.service}"`);
  checkGolden(actor, folder);
}

/** Throws AssertionError when a shape of an event breaks what a release promised, with the event, the field and the direction. */
function checkReleased(contract: AnyContract, folder: string): void {
  const broken = brokenPromises(contract, releasedIn(folder)).map(tellBroken);
  assert.ok(
    broken.length === 0,
    `${contract.service}: ${broken.join("; ")}. A changed event gets a new version and an upcaster`,
  );
}

/**
 * Checks a service's golden samples. Throws AssertionError when
 *
 * - today's contract, through the upcasters, does not accept a sample;
 * - a version of an event has no sample; in today's version, an optional field is in none or in all of them, or a value of an
 *   enumeration in none;
 * - the fold of a snapshot's history gives another state, or one that the contract does not accept, also with any other
 *   sample as its last event; or no history ends in a type of event.
 */
export function checkGolden<K extends AnyContract>(actor: Actor<K>, folder: string): void {
  checkEvents(actor, folder);
  checkSnapshots(actor, folder);
}

function checkEvents(actor: Actor, folder: string): void {
  acceptEvents(actor, folder);
  for (const type of Object.keys(actor.contract.events)) {
    const current = currentVersion(actor, type);
    const samples = samplesOf(folder, type);
    for (let version = 1; version <= current; version++)
      assert.ok(
        samples.some(sample => sample.version === version),
        `no golden sample events/${type}.v${version}.json: run freeze`,
      );
    const data = samples.filter(({ version }) => version === current).map(({ name }) => read(folder, "events", name));
    const missing = missingIn(strictObject(actor.contract.events[type]), data);
    assert.ok(sizeOf(missing) === 0, `golden samples of ${type}.v${current} do not show ${told(missing)}: run freeze`);
  }
}

/** Throws AssertionError for a sample that today's contract refuses, through the upcasters. */
export function acceptEvents(actor: Actor, folder: string): void {
  for (const name of namesIn(folder, "events")) {
    const event = decodeSample(actor, folder, name);
    const found = compileSchema(strictObject(actor.contract.events[event.type]))(event.data);
    assert.equal(
      found,
      true,
      `events/${name}.json breaks the contract: ${JSON.stringify(found)}. A changed event gets a new version and an upcaster`,
    );
  }
}

function checkSnapshots(actor: Actor, folder: string): void {
  const ends = foldSnapshots(actor, folder);
  for (const type of Object.keys(actor.contract.events))
    assert.ok(ends.has(type), `no golden sample snapshots/${snapshotName(actor)}.*.json ends in ${type}: run freeze`);
}

/** Folds the histories of today's snapshots, and answers the types in which they end. Throws AssertionError. */
export function foldSnapshots(actor: Actor, folder: string): ReadonlySet<string> {
  const current = snapshotName(actor);
  const samples = namesIn(folder, "snapshots").filter(name => `${name}.`.startsWith(`${current}.`));
  return new Set(samples.map(name => checkSnapshot(actor, folder, name)));
}

/**
 * Answers the type of the last event. Every other sample of that type replaces the last event in turn: all of them must
 * fold.
 */
function checkSnapshot(actor: Actor, folder: string, name: string): string {
  const { events: history, state } = read(folder, "snapshots", name) as { events: string[]; state: unknown };
  const last = history.at(-1)!;
  const { type } = partsOf(last);
  const before = history.slice(0, -1).map(sample => decodeSample(actor, folder, sample));
  const samples = samplesOf(folder, type);
  assert.ok(
    samples.some(sample => sample.name === last),
    `snapshots/${name}.json: there is no events/${last}.json`,
  );
  for (const { name: sample } of samples) {
    const folded = evolveAll(actor, deepFreeze(actor.initial()), [...before, decodeSample(actor, folder, sample)]);
    if (sample === last)
      assert.deepEqual(folded, state, `${name}: the fold has changed; raise snapshotSchema and run freeze`);
    const found = compileSchema(strictObject(actor.contract.state))(folded);
    assert.equal(found, true, `${name}, ended by ${sample}, breaks the contract: ${JSON.stringify(found)}`);
  }
  return type;
}

/** The event of a sample, in today's shape. Throws AssertionError for a sample without an event in the contract. */
export function decodeSample(actor: Actor, folder: string, name: string): PlainEvent {
  const { contract, upcasters } = actor;
  const { type, version } = partsOf(name);
  assert.ok(Object.hasOwn(contract.events, type), `events/${name}.json: the contract has no such event`);
  const data = read(folder, "events", name);
  return deepFreeze({ type, data: upcast(type, version, data, currentVersion(actor, type), upcasters?.[type] ?? {}) });
}

export const currentVersion = ({ contract }: Actor, type: string): number => contract.versions[type] ?? 1;

/** The name of today's state: `booking.v2`. */
export const snapshotName = ({ contract, snapshotSchema = 1 }: Actor): string => `${contract.actor}.v${snapshotSchema}`;

interface Sample {
  /** File names without `.json`. */
  readonly name: string;
  readonly version: number;
}

/** The samples of an event. */
export const samplesOf = (folder: string, type: string): Sample[] =>
  namesIn(folder, "events").flatMap(name => {
    const parts = partsOf(name);
    return parts.type === type ? [{ name, version: parts.version }] : [];
  });

function partsOf(name: string): { type: string; version: number } {
  const [, type = "", version] = /^(.+?)\.v(\d+)(?:\..+)?$/.exec(name) ?? [];
  return { type, version: Number(version) };
}

type Kind = "events" | "snapshots";
function namesIn(folder: string, kind: Kind): string[] {
  const samples = join(folder, kind);
  if (!existsSync(samples)) return [];
  return readdirSync(samples)
    .filter(file => file.endsWith(".json"))
    .map(file => basename(file, ".json"))
    .sort();
}
export const read = (folder: string, kind: Kind, name: string): unknown =>
  JSON.parse(readFileSync(join(folder, kind, `${name}.json`), "utf8"));
