// The shapes of events that a release has written or told others of, kept in the service's folder (`events.json`) and never
// taken back: recorded events have them, and readers outside were built for them. Today's shape of the same version must
// take what they wrote (backward), and write what their readers take (forward); else the event needs a new version.
//
// A reader passes over fields that it does not know, so that a new optional field needs none.
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import type { TProperties, TSchema } from "typebox";
import { strictObject, type AnyContract } from "./contract.ts";
import { misfitsOf, type Misfit, type Shape } from "./misfits.ts";

export const RELEASED_FILE = "events.json";

/** JSON Schemas by type of event and version. */
export type ReleasedEvents = Readonly<Record<string, Readonly<Record<string, TSchema>>>>;

/** Something that a release promised and today's contract breaks. */
export interface BrokenPromise {
  readonly type: string;
  readonly version: number;
  /** `backward`: recorded events need not fit today's readers. `forward`: new events need not fit the readers that there are. */
  readonly direction: "backward" | "forward";
  /** `lines[].quantity`; "" for the event itself. */
  readonly field: string;
  /** A keyword of JSON Schema, or `presence`, `values`, `further fields`, `version`. */
  readonly rule: string;
  readonly today: string;
  readonly released: string;
}

/** The released shapes of the service in a folder; none where there is no file. */
export function releasedIn(folder: string): ReleasedEvents {
  const file = join(folder, RELEASED_FILE);
  return existsSync(file) ? (JSON.parse(readFileSync(file, "utf8")) as ReleasedEvents) : {};
}

/** Current version of an event. */
export const versionOf = ({ versions }: AnyContract, type: string): number =>
  (versions as Record<string, number | undefined>)[type] ?? 1;

/** The shape of an event in its current version, as plain JSON Schema. */
export const shapeOf = ({ events }: AnyContract, type: string): TSchema =>
  plain(strictObject((events as Record<string, TProperties>)[type]!));

const plain = (schema: TSchema): TSchema => JSON.parse(JSON.stringify(schema)) as TSchema;

/** Where a contract does not keep what was released. */
export function brokenPromises(contract: AnyContract, released: ReleasedEvents): BrokenPromise[] {
  return Object.entries(released).flatMap(([type, versions]) => {
    const newest = Math.max(...Object.keys(versions).map(Number));
    const whole = { type, version: newest, direction: "backward", field: "", released: `v${newest}` } as const;
    if (!Object.hasOwn(contract.events as object, type)) return [{ ...whole, rule: "presence", today: "absent" }];
    const current = versionOf(contract, type);
    if (current < newest) return [{ ...whole, rule: "version", today: `v${current}` }];
    const shape = versions[current];
    return shape === undefined ? [] : changesOf(type, current, shape, shapeOf(contract, type));
  });
}

function changesOf(type: string, version: number, released: TSchema, today: TSchema): BrokenPromise[] {
  const [before, after] = [released, today] as Shape[] as [Shape, Shape];
  const backward = misfitsOf(before, after, { ignoresUnknown: false });
  const forward = misfitsOf(after, before, { ignoresUnknown: true });
  const at = ({ path, rule }: Misfit) => ({ type, version, field: path, rule });
  return [
    ...backward.map(found => ({
      ...at(found),
      direction: "backward" as const,
      today: found.reads,
      released: found.writes,
    })),
    ...forward.map(found => ({
      ...at(found),
      direction: "forward" as const,
      today: found.writes,
      released: found.reads,
    })),
  ];
}

/** `booking.held v1, guests[].age, backward: presence is required, released as absent`. */
export const tellBroken = ({ type, version, direction, field, rule, today, released }: BrokenPromise): string =>
  `${[`${type} v${version}`, ...(field === "" ? [] : [field]), direction].join(", ")}: ${rule} is ${today}, released as ${released}`;

/** Events in a shape that is not released: `booking.held v2`. A change that breaks nothing counts as well. */
export const unreleased = (contract: AnyContract, released: ReleasedEvents): string[] =>
  Object.keys(contract.events as object)
    .filter(type => !isReleased(contract, released, type))
    .map(type => `${type} v${versionOf(contract, type)}`);

function isReleased(contract: AnyContract, released: ReleasedEvents, type: string): boolean {
  const shape = released[type]?.[versionOf(contract, type)];
  return shape !== undefined && JSON.stringify(shape) === JSON.stringify(shapeOf(contract, type));
}

/** The shapes that are released once today's are as well, in the contract's order. The contract must break no promise. */
export function releasedWith(contract: AnyContract, released: ReleasedEvents): ReleasedEvents {
  return Object.fromEntries(
    Object.keys(contract.events as object).map(type => [
      type,
      { ...released[type], [versionOf(contract, type)]: shapeOf(contract, type) },
    ]),
  );
}
