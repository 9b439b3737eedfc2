// Writes the golden samples that a service lacks. It changes no existing sample: when today's code does not read one,
// its author has to add a new version and an upcaster.
import assert from "node:assert/strict";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { deepFreeze, definitionsIn, evolveAll, type Actor } from "../actor/index.ts";
import { compileSchema, sampleOf, strictObject, type Check } from "../contract/index.ts";
import { Misconfigured, plainError } from "../kernel/index.ts";
import { missingIn, sizeOf, told } from "./coverage.ts";
import { jsonText } from "./json-text.ts";
import { acceptEvents, currentVersion, decodeSample, foldSnapshots, read, samplesOf, snapshotName } from "./golden.ts";

const limits = {
  /** Events that are appended to find a history. An author writes a longer one by hand. */
  historyEvents: 4,
  /** Histories of one length: when there are more, no longer ones are made. */
  histories: 1_000,
} as const;

/**
 * Writes samples of every event in its current version, and of every state that a history of them ends in, beside the
 * service in a folder: as much as `checkFrozen` asks for. Answers the files that it wrote, relative to the folder; none
 * where nothing is missing.
 *
 * Throws Misconfigured, and writes nothing more, when a sample that is there is refused by today's contract or folds to
 * another state, and when no sample or history can be made: the message says what to do.
 */
export async function freeze(folder: string): Promise<string[]> {
  const { contract, actor } = (await definitionsIn(folder)) ?? {};
  if (!contract) throw new Misconfigured(`${folder} has no contract.ts that exports its contract`);
  if (Object.keys(contract.events).length === 0) return [];
  if (!actor) throw new Misconfigured(`${folder}: no module defines the actor of the events of "${contract.service}"`);
  return freezeActor(actor, folder);
}

/** As `freeze`, with the actor's definition at hand. */
export function freezeActor(actor: Actor, folder: string): string[] {
  withItsMessage(() => acceptEvents(actor, folder));
  const ends = withItsMessage(() => foldSnapshots(actor, folder));
  const types = Object.keys(actor.contract.events);
  const events = types.flatMap(type => freezeEvent(actor, folder, type));
  const snapshots = types.filter(type => !ends.has(type)).map(type => freezeSnapshot(actor, folder, type));
  return [...events, ...snapshots];
}

/** The author gets the message of a broken sample as it is. */
function withItsMessage<T>(check: () => T): T {
  try {
    return check();
  } catch (error) {
    if (!(error instanceof assert.AssertionError)) throw error;
    throw new Misconfigured(error.message);
  }
}

function freezeEvent(actor: Actor, folder: string, type: string): string[] {
  const { service } = actor.contract;
  const current = currentVersion(actor, type);
  const frozen = samplesOf(folder, type);
  for (let version = 1; version < current; version++)
    if (!frozen.some(sample => sample.version === version))
      throw new Misconfigured(
        `${service}: there is no events/${type}.v${version}.json, and today's contract cannot make it: write it by hand, as version ${version} was recorded`,
      );
  const schema = strictObject(actor.contract.events[type]);
  const check = compileSchema(schema);
  const samples = frozen.filter(({ version }) => version === current).map(({ name }) => read(folder, "events", name));
  const names = new Set(frozen.map(({ name }) => name));
  const base = `${type}.v${current}`;
  const byHand = (reason: string) =>
    new Misconfigured(
      `${service}: no sample of event ${type} could be made, ${reason}: add examples to the field's schema, or write events/${base}.json by hand`,
    );
  const written: string[] = [];
  const write = (variant: string, data: unknown) => {
    // A sample that shows nothing new would be written again by each run.
    if (samples.length > 0 && sizeOf(missingIn(schema, [...samples, data])) === sizeOf(missingIn(schema, samples)))
      return;
    const found = check(data);
    if (found !== true) throw byHand(found.map(({ field, message }) => `${field} ${message}`).join(", "));
    const name = freeName(base, variant, names);
    names.add(name);
    samples.push(data);
    written.push(writeSample(folder, "events", name, data));
  };
  if (samples.length === 0 || missingIn(schema, samples).present.length > 0) write("full", sampleOf(schema, "full"));
  if (missingIn(schema, samples).absent.length > 0) write("least", sampleOf(schema, "least"));
  for (const wanted of missingIn(schema, samples).values)
    write(variantOf(wanted.value), sampleOf(schema, "full", wanted));
  const missing = missingIn(schema, samples);
  if (sizeOf(missing) > 0) throw byHand(`none shows ${told(missing)}`);
  return written;
}

const variantOf = (value: unknown): string => (/^[\w-]+$/.test(String(value)) ? String(value) : "value");

/** The plain name for the first sample, else with the variant, and a number where that is taken. */
function freeName(base: string, variant: string, taken: ReadonlySet<string>): string {
  if (!taken.has(base)) return base;
  for (let n = 1; ; n++) {
    const name = n === 1 ? `${base}.${variant}` : `${base}.${variant}${n}`;
    if (!taken.has(name)) return name;
  }
}

function freezeSnapshot(actor: Actor, folder: string, type: string): string {
  const { contract } = actor;
  const found = historyTo(actor, folder, type);
  if (!found)
    throw new Misconfigured(
      `${contract.service}: no history of the samples ends in ${type} with a state that the contract accepts: write snapshots/${snapshotName(actor)}.*.json by hand`,
    );
  const ending = type.startsWith(`${contract.actor}.`) ? type.slice(contract.actor.length + 1) : type;
  return writeSample(folder, "snapshots", `${snapshotName(actor)}.${ending}`, found);
}

interface History {
  readonly events: readonly string[];
  readonly state: unknown;
}

/**
 * The shortest history that ends in a type. If possible it begins with the event that the contract declares first,
 * which is usually an actor's first.
 */
function historyTo(actor: Actor, folder: string, type: string): History | undefined {
  const check = compileSchema(strictObject(actor.contract.state));
  const types = Object.keys(actor.contract.events);
  const follow = (history: History, next: string) =>
    step(actor, folder, check, history, `${next}.v${currentVersion(actor, next)}`);
  const start: History = { events: [], state: deepFreeze(actor.initial()) };
  const opened = follow(start, types[0]!);
  if (opened && type === types[0]) return opened;
  return (opened && searchFrom(opened, type, types, follow)) ?? searchFrom(start, type, types, follow);
}

/** Breadth first: one event more each time. */
function searchFrom(
  start: History,
  type: string,
  types: readonly string[],
  follow: (history: History, next: string) => History | undefined,
): History | undefined {
  let histories = [start];
  for (let n = 1; n <= limits.historyEvents && histories.length <= limits.histories; n++) {
    for (const history of histories) {
      const ending = follow(history, type);
      if (ending) return ending;
    }
    histories = histories.flatMap(history => types.flatMap(next => follow(history, next) ?? []));
  }
  return undefined;
}

/** The history with one event more; undefined when its fold throws, or gives a state that the contract refuses. */
function step(actor: Actor, folder: string, check: Check, history: History, sample: string): History | undefined {
  try {
    const state = deepFreeze(evolveAll(actor, history.state, [decodeSample(actor, folder, sample)]));
    if (check(state) !== true) return undefined;
    return { events: [...history.events, sample], state };
  } catch (error) {
    // A fold may rely on earlier events: then this is no history.
    if (error instanceof assert.AssertionError) throw new Misconfigured(plainError(error).message);
    return undefined;
  }
}

/** Writes a new file; never replaces one. */
function writeSample(folder: string, kind: "events" | "snapshots", name: string, data: unknown): string {
  mkdirSync(join(folder, kind), { recursive: true });
  const file = join(kind, `${name}.json`);
  writeFileSync(join(folder, file), jsonText(data), { flag: "wx" });
  return file;
}
