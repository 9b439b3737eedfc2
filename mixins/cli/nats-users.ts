// The users of the NATS server, one a role, with the subjects that the code uses. The configuration is written from here and
// tested with a real server, so that it cannot drift from the code.
//
//   - a role hears what is for its own nodes, and what is for all; never the calls to, or the answers for, another role.
//     A wildcard of NATS stands for a whole token: a role's nodes have ids that begin with its name and a dot
//   - it publishes events to the logs of its own services alone, and makes no stream but theirs
//   - an answer to a question (of liveness, of a rival's claim) is allowed once, by `allow_responses`
//
// A role may publish a call to every other one: which of them it may make is decided by keys and permissions, not here.
import { inboxPrefix } from "../kernel/index.ts";
import { Channel } from "../stream/carriers/jetstream/channel.ts";

/** The subjects that the nodes of a role hear and publish, in a namespace. A service may be named with its actor. */
export function subjectsOf(role: string, services: readonly string[], namespace: string) {
  const prefix = namespace === "" ? "MOL" : `MOL-${namespace}`;
  const named = (...names: string[]): string[] => names.map(name => `${prefix}.${name}`);
  const streams = services.map(service => new Channel(namespace, service.split(":", 1)[0]!));
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
      ...streams.flatMap(({ name, subjects }) => [
        subjects,
        `$JS.API.STREAM.CREATE.${name}`,
        `$JS.API.STREAM.UPDATE.${name}`,
      ]),
      // Ephemeral consumers of any stream: a message proves by its seal that it is the owner's.
      "$JS.API.CONSUMER.CREATE.>",
      "$JS.API.CONSUMER.INFO.>",
      "$JS.API.CONSUMER.MSG.NEXT.>",
      "$JS.API.CONSUMER.DELETE.>",
    ],
  };
}

/** The name of the variable that holds the password of a role's user, in the server's environment. */
export const passwordVariable = (role: string): string => `NATS_${role.toUpperCase().replaceAll("-", "_")}_PASSWORD`;

/** The part of the server's configuration that names the users: `include nats-users.conf`. */
export function natsUsers(roles: Readonly<Record<string, readonly string[]>>, namespace: string): string {
  const list = (subjects: readonly string[]): string => subjects.map(subject => `        "${subject}"\n`).join("");
  const users = Object.entries(roles).map(([role, services]) => {
    const { subscribe, publish } = subjectsOf(role, services, namespace);
    return `  {
    user: ${role}, password: $${passwordVariable(role)}
    permissions: {
      subscribe: [
${list(subscribe)}      ]
      publish: [
${list(publish)}      ]
      allow_responses: { max: 1, expires: "1m" }
    }
  }
`;
  });
  return `# Written by \`npx valence nats-conf\`; a test compares it with the code. Each password is a variable of the server's.
authorization {
  timeout: 5
  users: [
${users.join("").replaceAll(/^(?=.)/gm, "  ")}  ]
}
`;
}
