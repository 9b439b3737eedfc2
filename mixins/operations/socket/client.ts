// A terminal's side of the socket of operators.
import { once } from "node:events";
import { rmSync } from "node:fs";
import { createConnection, type Socket } from "node:net";
import type { ServiceBroker } from "moleculer";
import { Misconfigured } from "../../kernel/index.ts";
import type { Names } from "../shell/completion.ts";
import { Needed, type Link } from "../shell/link.ts";
import { isRunning, socketsIn } from "./place.ts";
import { readLines, REGISTRY_LISTS, send, type Answer, type Hello, type PlainError, type Welcome } from "./wire.ts";

/** Milliseconds until a process that accepts the connection has to answer: its loop may be busy. */
const WELCOME_MS = 5_000;

/** Moleculer's commands that work from another process. The others look at the process that they run in. */
const COMMANDS = ["call", "dcall", "emit", "broadcast", "broadcastLocal", "actions", "services", "events", "bench"];

/**
 * Joins a process that runs on this machine with this data folder; undefined when there is none. Removes the sockets of
 * processes that were killed. Throws Misconfigured when there is one that may not be opened, that does not answer, or that does
 * not take the operator's token.
 */
export async function joinBySocket(dataDir: string, hello: Hello, welcomeMs = WELCOME_MS): Promise<Link | undefined> {
  let hanging: number | undefined;
  for (const { path, pid } of socketsIn(dataDir)) {
    const socket = createConnection(path);
    try {
      await once(socket, "connect");
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      // One that another user's process has left behind, only that user may remove.
      if ((code === "EACCES" || code === "EPERM") && isRunning(pid))
        throw new Misconfigured(`process ${pid} runs here as another user: ${path} is not yours to open`);
      if (code === "ECONNREFUSED") rmSync(path, { force: true });
      continue;
    }
    const link = await new SocketLink(socket, hello).open(welcomeMs);
    if (typeof link === "object") return link;
    if (link === "hangs") hanging ??= pid;
  }
  // A person who is told that none runs starts another one on the same data.
  if (hanging !== undefined)
    throw new Misconfigured(
      `process ${hanging} runs here and does not answer: it hangs, or has too much to do. Look at its log, and end it before you start another`,
    );
  return undefined;
}

interface Asked {
  readonly resolve: (answer: unknown) => void;
  readonly reject: (error: Error) => void;
}

class SocketLink implements Link {
  readonly broker: Partial<ServiceBroker>;
  readonly commands = COMMANDS;
  readonly ended: Promise<string>;
  readonly #socket: Socket;
  readonly #asked = new Map<number, Asked>();
  readonly #lists = new Map<string, unknown>();
  readonly #welcome = Promise.withResolvers<Welcome | undefined>();
  #about = "";
  #bye: string | undefined;
  #ids = 0;

  constructor(socket: Socket, hello: Hello) {
    this.#socket = socket;
    const { promise, resolve } = Promise.withResolvers<string>();
    this.ended = promise;
    socket.on("error", () => socket.destroy());
    socket.on("close", () => {
      const reason = this.#bye ?? "the process is gone";
      this.#welcome.resolve(undefined);
      for (const { reject } of this.#asked.values()) reject(new Misconfigured(reason));
      resolve(reason);
    });
    readLines(socket, (line: Welcome & Answer) => this.#take(line));
    send(socket, hello);
    this.broker = this.#facade();
  }

  get about(): string {
    return this.#about;
  }

  /** Itself; or whether the process hangs, or has gone meanwhile. Throws Misconfigured for what it does not take. */
  async open(welcomeMs: number): Promise<SocketLink | "hangs" | "gone"> {
    let isLate = false;
    const timer = setTimeout(() => {
      isLate = true;
      this.#socket.destroy();
    }, welcomeMs);
    const welcome = await this.#welcome.promise;
    clearTimeout(timer);
    if (!welcome && this.#bye?.startsWith("OPERATOR_TOKEN")) throw new Misconfigured(this.#bye);
    if (!welcome) return isLate ? "hangs" : "gone";
    const { nodeId, pid, as, isAlone } = welcome;
    const alone = "; other nodes believe no name: with OPERATOR_TOKEN, the access token of a person, they answer too";
    this.#about = `joined ${nodeId}, process ${pid} of this machine, as ${as}${isAlone ? alone : ""}`;
    return this;
  }

  call(action: string, params: object, options?: object): Promise<unknown> {
    return this.#ask({ call: action, params, ...(options && { options }) });
  }

  names(): Promise<Names> {
    return this.#ask({ names: true }) as Promise<Names>;
  }

  async close(): Promise<void> {
    this.#socket.destroy();
  }

  #take(line: Welcome & Answer): void {
    if ("nodeId" in line) return this.#welcome.resolve(line);
    if ("bye" in line) return void (this.#bye = (line as { bye: string }).bye);
    const { id, answer, error } = line as { id: number; answer?: unknown; error?: PlainError };
    const asked = this.#asked.get(id);
    this.#asked.delete(id);
    if (error) asked?.reject(errorOf(error));
    else asked?.resolve(answer);
  }

  #ask(question: object): Promise<unknown> {
    if (this.#socket.destroyed) return Promise.reject(new Misconfigured(this.#bye ?? "the process is gone"));
    const id = ++this.#ids;
    const { promise, resolve, reject } = Promise.withResolvers<unknown>();
    this.#asked.set(id, { resolve, reject });
    send(this.#socket, { ...question, id });
    return promise;
  }

  /** Moleculer's commands read lists at once: one that is not there is fetched, and the command is run again. */
  #facade(): Partial<ServiceBroker> {
    const registry = Object.fromEntries(
      REGISTRY_LISTS.map(list => [
        list,
        (options?: object) => {
          const key = `${list} ${JSON.stringify(options)}`;
          if (!this.#lists.has(key))
            throw new Needed(async () => void this.#lists.set(key, await this.#ask({ list, options })));
          const found = this.#lists.get(key);
          // Read once: the next command wants a new one.
          this.#lists.delete(key);
          return found;
        },
      ]),
    );
    const emits = ["emit", "broadcast", "broadcastLocal"].map(emit => [
      emit,
      (event: string, payload: unknown) => this.#ask({ emit, event, payload }),
    ]);
    const facade: object = {
      registry,
      call: (action: string, params?: object, options?: { nodeID?: string }) =>
        this.call(action, params ?? {}, options?.nodeID === undefined ? undefined : { nodeID: options.nodeID }),
      ...Object.fromEntries(emits),
      logger: console,
      nodeID: "",
      MOLECULER_VERSION: "0.15.0",
    };
    return facade;
  }
}

const errorOf = ({ message, ...fields }: PlainError): Error => Object.assign(new Error(message), fields);
