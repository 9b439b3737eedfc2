// The part of a node's description that others may believe: the services that its role may run, with actions that are
// theirs, the events that those services hear, each in a group of the role's, and the logs that they may own. A node that
// announces more is no endpoint for it, so that no call, and no password in one, ever goes there; it takes no event from the
// service that it is for, and no consumer reads the events of its log.
import { mayOwn, mayRun, type Role } from "../../kernel/index.ts";

/** The parts of a service in Moleculer's INFO packet that we judge. */
interface Described {
  readonly name?: unknown;
  readonly version?: unknown;
  readonly fullName?: unknown;
  readonly actions?: unknown;
  readonly events?: unknown;
  readonly metadata?: unknown;
}

export interface Judged {
  readonly services: readonly object[];
  /** Names of services and actions that were left out. */
  readonly refused: readonly string[];
}

/** Services that every node has, Moleculer's own and ours: their names begin with this. */
const OF_EVERY_NODE = "$";

export function believed(services: unknown, role: Role): Judged {
  const refused: string[] = [];
  if (!Array.isArray(services)) return { services: [], refused };
  const kept = (services as (Described | null)[]).flatMap(service => {
    const { name, version, fullName, actions, events, metadata } = service ?? {};
    const isNamed = typeof name === "string" && (fullName === undefined || fullName === fullNameOf(name, version));
    if (!isNamed || (!name.startsWith(OF_EVERY_NODE) && !mayRun(role, name))) {
      refused.push(String(fullName ?? name).slice(0, NAME_CHARS));
      return [];
    }
    const prefix = `${fullNameOf(name, version)}.`;
    const own = Object.entries((actions ?? {}) as Record<string, { name?: unknown } | null>).filter(([key, action]) => {
      const isOwn = key.startsWith(prefix) && action?.name === key;
      if (!isOwn) refused.push(key.slice(0, NAME_CHARS));
      return isOwn;
    });
    const heard = Object.entries((events ?? {}) as Record<string, { group?: unknown } | null>).filter(
      ([key, event]) => {
        const { group = name } = event ?? {};
        const isOwn = mayRun(role, name) && (group === name || mayRun(role, String(group)));
        if (!isOwn) refused.push(`${name} on ${key}`.slice(0, NAME_CHARS));
        return isOwn;
      },
    );
    const isOwner = ownsNoOthers(metadata, role);
    if (!isOwner) refused.push(`the log of ${name}`);
    const log = isOwner ? metadata : withoutLog(metadata);
    return [{ ...service, actions: Object.fromEntries(own), events: Object.fromEntries(heard), metadata: log }];
  });
  return { services: kept, refused };
}

/** Whether the actor that a service claims is one that the role may own, and its events are that actor's. */
function ownsNoOthers(metadata: unknown, role: Role): boolean {
  const { records, actor = records, events } = (metadata ?? {}) as Readonly<Record<string, unknown>>;
  if (events === undefined || role.actors === undefined) return true;
  if (typeof actor !== "string" || typeof events !== "object" || events === null) return false;
  return mayOwn(role, actor) && Object.keys(events).every(type => type.startsWith(`${actor}.`));
}

function withoutLog(metadata: unknown): object {
  const { actor: _actor, records: _records, events: _events, ...others } = metadata as Record<string, unknown>;
  return others;
}

/** Characters of a name in a log line: another node may announce anything. */
const NAME_CHARS = 100;

/** As Moleculer makes it: `v2.loans` for version 2, `next.loans` for the version "next". */
function fullNameOf(name: string, version: unknown): string {
  if (typeof version === "number") return `v${version}.${name}`;
  return typeof version === "string" ? `${version}.${name}` : name;
}
