// Errors of the client in words for people: the client nests errors, and the innermost one names a request of the protocol,
// or a place in OpenSSL.
import { withoutSecrets } from "../../../kernel/index.ts";

export interface Problem {
  readonly message: string;
  readonly advice: string;
}

const RIGHTS = "give the user of KAFKA_USER the rights of docs/kafka.md";

/** By the name of a broker's answer, or by the code of an error of Node. */
const PROBLEMS: Readonly<Record<string, Problem>> = {
  SASL_AUTHENTICATION_FAILED: {
    message: "the brokers refuse the user or its password",
    advice: "look at KAFKA_USER and KAFKA_PASSWORD",
  },
  UNSUPPORTED_SASL_MECHANISM: {
    message: "the brokers do not let users prove themselves in this way",
    advice: "set KAFKA_SASL to one that this listener of theirs has",
  },
  ILLEGAL_SASL_STATE: {
    message: "this listener of the brokers asks for no user",
    advice: "leave KAFKA_SASL out, or name the port of the listener that asks for one in KAFKA_BROKERS",
  },
  TOPIC_AUTHORIZATION_FAILED: { message: "the user has no right to the topic", advice: RIGHTS },
  CLUSTER_AUTHORIZATION_FAILED: { message: "the user may not write to any topic", advice: RIGHTS },
  GROUP_AUTHORIZATION_FAILED: { message: "the user has no right to the group", advice: RIGHTS },
  NOT_ENOUGH_REPLICAS: {
    message: "fewer copies are in sync than min.insync.replicas asks for",
    advice: "start the brokers that are away, or look why they lag behind: a full disk, a slow one",
  },
  KAFKA_STORAGE_ERROR: {
    message: "a broker cannot write to its disk",
    advice: "make room on it, or replace it, and restart that broker",
  },
  LEADER_NOT_AVAILABLE: {
    message: "partitions have no leader",
    advice: "start the brokers that have their copies",
  },
  MESSAGE_TOO_LARGE: {
    message: "the brokers take no record of this size",
    advice: "raise max.message.bytes of the topic: headers alone need some kilobytes",
  },
  INVALID_REPLICATION_FACTOR: {
    message: "a topic cannot have more copies than there are brokers",
    advice: "start more brokers, or lower KAFKA_REPLICATION",
  },
  POLICY_VIOLATION: {
    message: "a policy of the brokers does not allow such a topic",
    advice: "have it made by whoever runs them, with KAFKA_PARTITIONS partitions",
  },
  ECONNREFUSED: {
    message: "nothing listens at",
    advice: "do the brokers run, and are these the ports of KAFKA_BROKERS?",
  },
  ENOTFOUND: { message: "there is no host", advice: "look at KAFKA_BROKERS, and at the brokers' advertised.listeners" },
  CERT_HAS_EXPIRED: {
    message: "the certificate of a broker has expired",
    advice: "give the brokers another one",
  },
  ERR_TLS_CERT_ALTNAME_INVALID: {
    message: "the certificate of a broker does not have its name",
    advice: "name the hosts of KAFKA_BROKERS and of advertised.listeners in the brokers' certificates",
  },
};
const UNKNOWN_AUTHORITY: Problem = {
  message: "the certificate of a broker is of an authority that this process does not know",
  advice: "give KAFKA_CA the certificate of that authority",
};
const OWN_CERTIFICATE: Problem = {
  message: "the brokers refuse the certificate of this process",
  advice: "give KAFKA_CERT one that is valid, and of an authority that they know",
};
const NO_TLS: Problem = {
  message: "this listener of the brokers has no TLS",
  advice: "name the port of the one that has in KAFKA_BROKERS, or leave KAFKA_TLS out",
};
const TLS: Problem = { message: "this listener of the brokers has TLS", advice: "set KAFKA_TLS=on, and KAFKA_CA" };
const MISSING: Problem = {
  message: "it is missing",
  advice: "it is made anew within seconds; look who deletes it, or whether the user may describe it",
};
const CLOSED: Problem = {
  message: "a broker has closed the connection",
  advice: "does this listener ask for a user (KAFKA_SASL), and does the broker run?",
};

/** A word in the code or the message of an error, for those that come in several spellings. */
const BY_WORD: readonly (readonly [RegExp, Problem])[] = [
  [/ALERT_(BAD_|UNKNOWN_CA|CERTIFICATE|UNSUPPORTED_CERT)|CERTIFICATE_REQUIRED/, OWN_CERTIFICATE],
  [/UNABLE_TO_(VERIFY|GET_ISSUER)|SELF_SIGNED/, UNKNOWN_AUTHORITY],
  [/TLS handshake failed|WRONG_VERSION_NUMBER/, NO_TLS],
  [/requires TLS/, TLS],
  [/^Connection closed/, CLOSED],
  [/UNKNOWN_TOPIC|^Unknown topic/, MISSING],
  [/NOT_ENOUGH_REPLICAS/, PROBLEMS["NOT_ENOUGH_REPLICAS"]!],
  [/not available in the current cluster metadata/, PROBLEMS["LEADER_NOT_AVAILABLE"]!],
];

/** Errors around one another that are looked into: the client's may go round in a circle. */
const DEPTH_MAX = 8;

/** The problem that an error tells of. */
export function problemOf(error: unknown): Problem {
  const chain = chainOf(error);
  for (const each of chain.toReversed()) {
    const known = knownProblem(each);
    if (known) return known;
  }
  return {
    message: textOf(chain.at(-1)!),
    advice: "do the brokers of KAFKA_BROKERS run, can this machine reach them, and do they know its user?",
  };
}

interface Fields {
  readonly message?: string;
  readonly code?: string;
  readonly apiId?: string;
  readonly errors?: readonly unknown[];
  readonly cause?: unknown;
  readonly address?: string;
  readonly hostname?: string;
  readonly port?: number;
}

function knownProblem({ message = "", code = "", apiId = "", address, hostname, port }: Fields): Problem | undefined {
  const known = PROBLEMS[apiId] ?? PROBLEMS[code];
  const place = [address ?? hostname, port].filter(part => part !== undefined).join(":");
  if (known && place !== "") return { ...known, message: `${known.message} ${place}` };
  return known ?? BY_WORD.find(([word]) => [apiId, code, message].some(text => word.test(text)))?.[1];
}

/** From the outermost to the innermost. */
function chainOf(error: unknown): Fields[] {
  const chain: Fields[] = [];
  let inner = error as Fields | null | undefined;
  while (typeof inner === "object" && inner !== null && chain.length < DEPTH_MAX) {
    chain.push(inner);
    inner = (inner.errors?.at(-1) ?? inner.cause) as Fields | undefined;
  }
  return chain.length > 0 ? chain : [{ message: String(error) }];
}

const textOf = ({ message, code }: Fields): string =>
  withoutSecrets((message || code || "it failed without a reason").replaceAll(/\s+/g, " ").trim());
