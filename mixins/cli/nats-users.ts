// The users of the NATS server, one a role, with the subjects that the code uses. The configuration is written from here and
// tested with a real server, so that it cannot drift from the code.
//
//   - a role hears what is for its own nodes, and what is for all; never the calls to, or the answers for, another role.
//     A wildcard of NATS stands for a whole token: a role's nodes have ids that begin with its name and a dot
//   - JetStream is an account of its own, in which nobody is logged in. Its streams and consumers are configured by the body
//     of a request, which the server does not judge: a stream may ask for any subject of its account, a consumer or a
//     republication may send to any. In an account of their own they can neither take from the bus nor put on it
//   - a role publishes events to the logs of its own services alone. It makes consumers of the streams that its services
//     read, in the form whose subject names stream and filter (NATS 2.9), and makes, changes or deletes no stream
//   - a stream from outside is read likewise by the roles whose ingresses take its messages. Its sender is a user that an
//     operator adds: it may publish to the one subject
//   - the user `migrate` makes streams, and does nothing else
//   - an answer to a question (of liveness, of a rival's claim) is allowed once, by `allow_responses`
//
// A role may publish a call to every other one: which of them it may make is decided by keys and permissions, not here.
import { inboxPrefix } from "../kernel/index.ts";
import type { StreamUse } from "../stream/siblings.ts";
import { Channel, subjectsIn } from "../stream/carriers/jetstream/channel.ts";

/** The account of JetStream: `JETSTREAM_DOMAIN` of every process that uses these users. */
export const ACCOUNT = "EVENTS";
/** The user of `valence migrate`. */
export const MIGRATE = "migrate";

const api = (call: string): string => `$JS.${ACCOUNT}.API.${call}`;

/** Sources whose streams the services of a role publish to and read: full names of services. */
export interface RoleUse {
  readonly owns: readonly string[];
  readonly reads: readonly string[];
  /** Streams from outside, whose messages its ingresses take. */
  readonly takes: readonly StreamUse["takes"][number][];
}

/** Making a consumer of a stream in the form whose subject names stream and filter, and reading by it. */
const reading = (stream: string, filter: string): string[] => [
  api(`CONSUMER.CREATE.${stream}.*.${filter}`),
  api(`CONSUMER.INFO.${stream}.*`),
  api(`CONSUMER.MSG.NEXT.${stream}.*`),
];

interface Subjects {
  readonly subscribe: readonly string[];
  readonly publish: readonly string[];
}

/** The subjects that the nodes of a role hear and publish, in a namespace. */
export function subjectsOf(role: string, { owns, reads, takes }: RoleUse, namespace: string): Subjects {
  const prefix = namespace === "" ? "MOL" : `MOL-${namespace}`;
  const named = (...names: string[]): string[] => names.map(name => `${prefix}.${name}`);
  const channels = (sources: readonly string[]): Channel[] => sources.map(source => new Channel(namespace, source));
  return {
    subscribe: [
      ...named("DISCOVER", "INFO", "HEARTBEAT", "PING", "DISCONNECT", "LOST", `*.${role}.>`),
      `${inboxPrefix(role)}.>`,
    ],
    publish: [
      ...named(
        "DISCOVER",
        "DISCOVER.>",
        "INFO",
        "INFO.>",
        "HEARTBEAT",
        "PING",
        "PING.>",
        "PONG.>",
        "DISCONNECT",
        "LOST",
      ),
      ...named("REQ.>", "RES.>", "EVENT.>", "PROBE.>", `CLAIM.${role}.>`),
      ...channels(owns).flatMap(({ name, subjects }) => [subjects, api(`STREAM.INFO.${name}`)]),
      ...channels(reads).flatMap(({ name, subjects }) => reading(name, subjects)),
      ...takes.flatMap(({ stream, subject }) => [api(`STREAM.INFO.${stream}`), ...reading(stream, subject)]),
    ],
  };
}

function subjectsOfMigrate(sources: readonly string[], takes: RoleUse["takes"], namespace: string): Subjects {
  const names = sources.map(source => new Channel(namespace, source).name);
  const own = ["CREATE", "UPDATE", "INFO"];
  // One from outside is made, and never changed.
  const foreign = ["CREATE", "INFO"];
  return {
    subscribe: [`${inboxPrefix(MIGRATE)}.>`],
    publish: [
      ...names.flatMap(name => own.map(call => api(`STREAM.${call}.${name}`))),
      ...takes.flatMap(({ stream }) => foreign.map(call => api(`STREAM.${call}.${stream}`))),
    ],
  };
}

/** The name of the variable that holds the password of a role's user, in the server's environment. */
export const passwordVariable = (role: string): string => `NATS_${role.toUpperCase().replaceAll("-", "_")}_PASSWORD`;

/** The part of the server's configuration that names accounts and users: `include nats-users.conf`. */
export function natsUsers(roles: Readonly<Record<string, RoleUse>>, namespace: string): string {
  const sources = [...new Set(Object.values(roles).flatMap(({ owns }) => owns))];
  const takes = [
    ...new Map(Object.values(roles).flatMap(use => use.takes.map(where => [where.subject, where]))).values(),
  ];
  // Messages of senders outside reach the account of JetStream by an import, as our events do.
  const carried = [subjectsIn(namespace), ...takes.map(({ subject }) => subject)];
  const users = Object.entries(roles).map(([role, use]) =>
    userOf(role, subjectsOf(role, use, namespace), 'allow_responses: { max: 1, expires: "1m" }'),
  );
  return `# Written by \`npx valence nats-conf\`; a test compares it with the code. Each password is a variable of the server's.
authorization { timeout: 5 }
accounts {
  # Streams of events: nobody is logged in here, so that nothing in it reaches the bus.
  ${ACCOUNT} {
    jetstream: enabled
    exports: [
      { service: "$JS.API.>", response: stream }
${carried.map(subject => `      { service: "${subject}" }\n`).join("")}    ]
  }
  BUS {
    imports: [
      { service: { account: ${ACCOUNT}, subject: "$JS.API.>" }, to: "${api(">")}" }
${carried.map(subject => `      { service: { account: ${ACCOUNT}, subject: "${subject}" } }\n`).join("")}    ]
    users: [
${[...users, userOf(MIGRATE, subjectsOfMigrate(sources, takes, namespace))].join("").replaceAll(/^(?=.)/gm, "      ")}    ]
  }
}
`;
}

function userOf(user: string, { subscribe, publish }: Subjects, more = ""): string {
  const list = (subjects: readonly string[]): string => subjects.map(subject => `      "${subject}"\n`).join("");
  return `{
  user: ${user}, password: $${passwordVariable(user)}
  permissions: {
    subscribe: [
${list(subscribe)}    ]
    publish: [
${list(publish)}    ]
${more && `    ${more}\n`}  }
}
`;
}
