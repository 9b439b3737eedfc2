// The services that a node knows, as Moleculer's registry lists them: one entry for each node that runs a service. A service
// of ours tells the others its actor, events, sagas, … in its metadata. Another node may announce anything, so that every
// field of the metadata is optional.
import type { ServiceBroker } from "moleculer";
import type { PersonalField } from "../kernel/index.ts";

export interface ListedService {
  readonly name: string;
  /** With the version before a dot, if the service has one: `v2.loans`. */
  readonly fullName: string;
  readonly nodeID: string;
  readonly metadata?: {
    readonly actor?: string;
    /** Instead: the actor type of a service that only records. Its actors are no actors for operators. */
    readonly records?: string;
    /** Current version of each of its events. */
    readonly events?: Readonly<Record<string, unknown>>;
    /** JSON Schema of each of its events, in the current version. */
    readonly eventSchemas?: Readonly<Record<string, unknown>>;
    readonly sagas?: Readonly<Record<string, unknown>>;
    /** Whether the journals of its sagas can be read. */
    readonly journals?: boolean;
    readonly consumers?: Readonly<Record<string, unknown>>;
    /** Types of the events that its consumers take. */
    readonly takes?: Readonly<Record<string, unknown>>;
    /** Whether its consumers put the messages of several relays into order. A release before does not. */
    readonly joinsPages?: boolean;
    /** Public events that it sends, by name: version, schema, topic, and the events that they are made of. */
    readonly publicEvents?: Readonly<Record<string, unknown>>;
    /** Where its ingresses take messages from, and their shape: `{ kafka, jetstream: { stream, subject }, schema }` by name. */
    readonly ingresses?: Readonly<Record<string, unknown>>;
    readonly projections?: Readonly<Record<string, unknown>>;
    /** Whether each of its nodes keeps operators' jobs. */
    readonly jobs?: boolean;
    /** Whether its action `find` finds things by their ids and names, for operators. */
    readonly finds?: boolean;
    /** Names of fields that people must not see. */
    readonly secrets?: readonly string[];
    /** Fields that tell who a person is. */
    readonly personal?: readonly PersonalField[];
  };
  /** Moleculer events that it handles, by pattern; with `withEvents`. */
  readonly events?: Readonly<Record<string, unknown>>;
}

interface Selection {
  /** Without nodes that do not answer. */
  readonly onlyAvailable?: boolean;
  /** Without Moleculer's own `$node`. */
  readonly skipInternal?: boolean;
  readonly withEvents?: boolean;
}

export const listedServices = ({ registry }: ServiceBroker, selection: Selection): readonly ListedService[] =>
  registry.getServiceList(selection) as ListedService[];
