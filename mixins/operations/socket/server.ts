// The door of a process for operators of its machine: a socket in the data folder which only the user of the process may open, and
// root. Whoever can open it could as well read the databases beside it, so that it asks for no password: it acts as an
// administrator who is named after the operating system's user, `os:ann`, and what it does is recorded under that name. An operator
// may ask for less (`--read-only`). Where nodes have keys, the others believe no name: an operator who has an access token gives it
// (`OPERATOR_TOKEN`), acts as its person, and reaches them all.
import { chmodSync, rmSync } from "node:fs";
import { createServer, type Server, type Socket } from "node:net";
import { dirname } from "node:path";
import type { Middleware, ServiceBroker } from "moleculer";
import type { JSONWebKeySet } from "jose";
import { callErrors, type User } from "../../contract/index.ts";
import { TokenVerifier } from "../../contract/siblings.ts";
import { gatewayEnvironment } from "../../gateway/index.ts";
import { asError, clusterKeysIn, makePrivateFolder, systemClock } from "../../kernel/index.ts";
import { healthOfThisNode } from "../health.ts";
import { namesOf } from "../names.ts";
import { socketOf } from "./place.ts";
import {
  readLines,
  REGISTRY_LISTS,
  send,
  type Hello,
  type PlainError,
  type Question,
  type RegistryList,
  type Welcome,
} from "./wire.ts";

const limits = {
  /** Terminals at once. */
  connections: 32,
  /** Questions of one terminal at once; further ones are refused. */
  questions: 64,
  /** Seconds after its end for which an operator's token is still taken; and how old the keys are that tell, in milliseconds. */
  toleranceSeconds: 5,
  keysMaxAgeMs: 300_000,
  keysPauseMs: 5_000,
};

/** A middleware that opens the socket of its process once the services have started, and closes it when they stop. */
export function operatorSocket(dataDir: string): Middleware {
  let door: Door | undefined;
  return {
    name: "OperatorSocket",
    async started(broker: ServiceBroker) {
      const path = socketOf(dataDir, process.pid);
      if (path === undefined) return;
      door = new Door(broker, path);
      // A file system that is read-only, or knows no sockets: operators come another way.
      await door.open().catch((error: Error) => broker.logger.debug(`no socket for operators: ${error.message}`));
    },
    async stopping() {
      door?.close();
    },
  };
}

class Door {
  readonly #broker: ServiceBroker;
  readonly #path: string;
  readonly #server: Server;
  readonly #open = new Set<Socket>();
  readonly #tokens: TokenVerifier;

  constructor(broker: ServiceBroker, path: string) {
    this.#broker = broker;
    this.#path = path;
    const { toleranceSeconds, keysMaxAgeMs, keysPauseMs } = limits;
    this.#tokens = new TokenVerifier({
      fetchKeys: () => broker.call<JSONWebKeySet, object>("accounts.jwks", {}),
      issuer: gatewayEnvironment.of(broker).TOKEN_ISSUER,
      clock: systemClock,
      toleranceSeconds,
      keysMaxAgeMs,
      keysPauseMs,
    });
    this.#server = createServer(socket => this.#serve(socket));
    this.#server.maxConnections = limits.connections;
  }

  async open(): Promise<void> {
    makePrivateFolder(dirname(this.#path));
    // Of a process of the same number that was killed.
    rmSync(this.#path, { force: true });
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    this.#server.once("error", reject);
    const mask = process.umask(0o177);
    try {
      // A worker would otherwise have its supervisor listen.
      this.#server.listen({ path: this.#path, exclusive: true }, resolve);
    } finally {
      process.umask(mask);
    }
    await promise;
    chmodSync(this.#path, 0o600);
    // It keeps no process alive.
    this.#server.unref();
  }

  close(): void {
    this.#server.close();
    for (const socket of this.#open) {
      send(socket, { bye: `${this.#broker.nodeID} stops` });
      socket.end();
    }
    rmSync(this.#path, { force: true });
  }

  #serve(socket: Socket): void {
    this.#open.add(socket);
    let terminal: Promise<Terminal | undefined> | undefined;
    socket.on("close", () => this.#open.delete(socket));
    // A terminal that was killed.
    socket.on("error", () => socket.destroy());
    readLines(socket, (line: Hello & Question) => {
      if (terminal) return void terminal.then(opened => opened?.take(line));
      terminal = this.#welcome(socket, line);
    });
  }

  /** Undefined when the operator's token is none. */
  async #welcome(socket: Socket, hello: Hello): Promise<Terminal | undefined> {
    const { nodeID: nodeId } = this.#broker;
    try {
      const actor = hello.token === undefined ? { user: userOf(hello) } : await this.#actorOf(hello.token, hello);
      const isAlone = hello.token === undefined && clusterKeysIn(this.#broker) !== undefined;
      send(socket, { nodeId, pid: process.pid, as: actor.user.id, isAlone } satisfies Welcome);
      return new Terminal(this.#broker, socket, actor);
    } catch (error) {
      // Rubbish ends the connection.
      if (typeof (hello as Hello | null)?.token !== "string") socket.destroy();
      else {
        send(socket, { bye: `OPERATOR_TOKEN: ${asError(error).message}` });
        socket.end();
      }
      return undefined;
    }
  }

  async #actorOf(token: string, { scopes: asked }: Hello): Promise<Actor> {
    const verified = await this.#tokens.verify(token);
    if (!verified) throw callErrors.CALLER_UNPROVEN({ message: "it is no access token, or is not valid any more" });
    const { user } = verified;
    const scopes = asked && (user.scopes?.filter(scope => asked.includes(scope)) ?? asked);
    return { user: { ...user, ...(scopes && { scopes }) }, token };
  }
}

/** The one question that a process answers for itself, where the service `ops` is out of reach. */
const HEALTH = "ops.health";
const OUT_OF_REACH: ReadonlySet<string> = new Set(
  [
    callErrors.SERVICE_NOT_FOUND,
    callErrors.SERVICE_NOT_AVAILABLE,
    callErrors.BROKER_DISCONNECTED,
    callErrors.REQUEST_TIMEOUT,
  ].map(({ code }) => code),
);

/** Who acts: in the `meta` of calls. */
interface Actor {
  readonly user: User;
  readonly token?: string;
}

/** The person who acts: a name of another form could not be looked for in the audit. */
const userOf = ({ user, scopes }: Hello): User => ({
  id: `os:${user.replaceAll(/[^\w.@-]/g, "_").slice(0, 64)}`,
  roles: ["admin"] as User["roles"],
  ...(scopes && { scopes }),
});

/** One operator's side of the door. */
class Terminal {
  readonly #broker: ServiceBroker;
  readonly #socket: Socket;
  readonly #actor: Actor;
  #asking = 0;

  constructor(broker: ServiceBroker, socket: Socket, actor: Actor) {
    this.#broker = broker;
    this.#socket = socket;
    this.#actor = actor;
  }

  take(question: Question): void {
    const { id } = question;
    if (this.#asking >= limits.questions)
      return send(this.#socket, {
        id,
        error: { message: `more than ${limits.questions} questions at once`, code: 429 },
      });
    this.#asking++;
    void this.#answer(question)
      .then(
        answer => send(this.#socket, { id, answer }),
        (error: unknown) => send(this.#socket, { id, error: plainOf(error) }),
      )
      .finally(() => this.#asking--);
  }

  async #answer(question: Question): Promise<unknown> {
    if ("call" in question) {
      const { call, params = {}, options } = question;
      const nodeID = options?.nodeID;
      const meta = { ...this.#actor };
      const answer = this.#broker.call(call, params, { meta, ...(nodeID !== undefined && { nodeID }) } as object);
      if (call !== HEALTH) return answer;
      return answer.catch((error: { type?: string }) => {
        if (!OUT_OF_REACH.has(error.type ?? "")) throw error;
        return healthOfThisNode(this.#broker, { ...this.#actor });
      });
    }
    if ("names" in question) return namesOf(this.#broker);
    if ("list" in question) return this.#list(question.list, question.options);
    // An event asks for no permission, so that whoever has asked for less gets none.
    if (this.#actor.user.scopes)
      throw callErrors.FORBIDDEN({ message: `${question.emit} is for operators with all rights` });
    return this.#broker[question.emit](question.event, question.payload, { meta: { ...this.#actor } });
  }

  #list(name: RegistryList, options: object | undefined): unknown {
    if (!REGISTRY_LISTS.includes(name)) throw callErrors.NOT_FOUND();
    const registry = this.#broker.registry as unknown as Record<RegistryList, (options?: object) => unknown>;
    return registry[name](options);
  }
}

function plainOf(thrown: unknown): PlainError {
  const { message, name, type, code, retryable, data } = asError(thrown) as Error & Partial<PlainError>;
  const plain = {
    message,
    name,
    ...(type !== undefined && { type }),
    ...(code !== undefined && { code }),
    ...(retryable !== undefined && { retryable }),
  };
  try {
    return { ...plain, ...(data !== undefined && { data: JSON.parse(JSON.stringify(data)) as unknown }) };
  } catch {
    return plain;
  }
}
