// Clients that do not wait for each other, as a process of its own: requests begin at random times (Poisson) at a given rate,
// on sockets that were opened before. A client whose answer is late keeps its socket, as a pool does; when all sockets
// are taken, the request counts as lost. Good is a 200 within 500 ms of the time at which the request was due.
import { connect, type Socket } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { quantile } from "../harness.ts";

export interface LoadTask {
  readonly port: number;
  readonly tokens: readonly string[];
  readonly sockets: number;
}
export interface LoadResult {
  readonly offered: number;
  readonly goodPerSecond: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  /** Good answers by requests sent, for the critical, normal and bulk ones. */
  readonly okShare: readonly number[];
  /** Statuses, and requests without an answer as `none`. */
  readonly statuses: Readonly<Record<string, number>>;
  readonly health: { readonly okShare: number; readonly p99Ms: number };
}

const GOOD_MS = 500;
/** One request in ten pays, two search. */
const KINDS = ["POST /api/v1/pay", "GET /api/v1/read", "GET /api/v1/search"];
const kindOf = (n: number): number => (n < 0.1 ? 0 : n < 0.8 ? 1 : 2);

class Client {
  readonly #socket: Socket;
  #text = "";
  #answered: ((status: number) => void) | undefined;
  isClosed = false;

  constructor(port: number) {
    this.#socket = connect(port, "127.0.0.1").setNoDelay(true);
    this.#socket.on("data", chunk => this.#read(chunk.toString("latin1")));
    const close = (): void => {
      this.isClosed = true;
      this.#end(0);
    };
    this.#socket.on("error", close).on("close", close);
  }

  get opened(): Promise<void> {
    return new Promise(resolve => this.#socket.once("connect", resolve));
  }

  /** Resolves to the status; to 0 when the connection ends before. */
  ask(line: string, headers: string, body = ""): Promise<number> {
    return new Promise(resolve => {
      this.#answered = resolve;
      this.#socket.write(`${line} HTTP/1.1\r\nHost: a\r\n${headers}\r\n${body}`);
    });
  }

  close(): void {
    this.#socket.destroy();
  }

  #read(text: string): void {
    this.#text += text;
    const head = this.#text.indexOf("\r\n\r\n");
    if (head < 0) return;
    const length = Number(/content-length: (\d+)/i.exec(this.#text.slice(0, head))?.[1] ?? 0);
    if (this.#text.length < head + 4 + length) return;
    const status = Number(this.#text.slice(9, 12));
    this.#text = "";
    this.#end(status);
  }

  #end(status: number): void {
    const answered = this.#answered;
    this.#answered = undefined;
    answered?.(status);
  }
}

async function offer(clients: Client[], task: LoadTask, perSecond: number, seconds: number): Promise<LoadResult> {
  const free = clients.filter(({ isClosed }) => !isClosed);
  const latencies: number[] = [];
  const sent = [0, 0, 0];
  const good = [0, 0, 0];
  const statuses: Record<string, number> = {};
  const count = (status: string | number): void => void (statuses[status] = (statuses[status] ?? 0) + 1);
  let offered = 0;
  let pending = 0;
  let isOver = false;
  const begin = async (dueAt: number): Promise<void> => {
    const kind = kindOf(Math.random());
    offered++;
    sent[kind]!++;
    const client = free.pop();
    if (!client) return count("none");
    pending++;
    const token = task.tokens[offered % task.tokens.length];
    const n = offered % 50_000;
    const headers =
      `X-Forwarded-For: 10.${n >> 12}.${(n >> 6) & 63}.${n & 63}\r\n` +
      (token === undefined ? "" : `Authorization: Bearer ${token}\r\n`) +
      (kind === 0 ? "Content-Type: application/json\r\nContent-Length: 2\r\n" : "");
    const status = await client.ask(KINDS[kind]!, headers, kind === 0 ? "{}" : "");
    pending--;
    if (!client.isClosed) free.push(client);
    if (isOver) return;
    count(status || "none");
    const ms = performance.now() - dueAt;
    if (status !== 200 || ms > GOOD_MS) return;
    latencies.push(ms);
    good[kind]!++;
  };
  const probes = probe(task.port, seconds);
  const startedAt = performance.now();
  const endsAt = startedAt + seconds * 1_000;
  for (let due = startedAt; due < endsAt;) {
    for (const now = performance.now(); due <= now && due < endsAt;) {
      void begin(due);
      due += (-Math.log(1 - Math.random()) * 1_000) / perSecond;
    }
    await sleep(1);
  }
  await sleep(GOOD_MS);
  isOver = true;
  if (pending > 0) statuses["none"] = (statuses["none"] ?? 0) + pending;
  return {
    offered: offered / seconds,
    goodPerSecond: latencies.length / seconds,
    p50Ms: quantile(latencies, 0.5),
    p99Ms: quantile(latencies, 0.99),
    okShare: good.map((n, kind) => n / sent[kind]!),
    statuses,
    health: await probes,
  };
}

/** Asks for health 20 times a second, on a connection of its own. */
async function probe(port: number, seconds: number): Promise<LoadResult["health"]> {
  const latencies: number[] = [];
  let asked = 0;
  const client = new Client(port);
  await client.opened;
  for (const endsAt = performance.now() + seconds * 1_000; performance.now() < endsAt; await sleep(50)) {
    asked++;
    const at = performance.now();
    const status = await Promise.race([client.ask("GET /health/live", ""), sleep(5_000, 0)]);
    if (status === 200) latencies.push(performance.now() - at);
  }
  client.close();
  return { okShare: latencies.length / asked, p99Ms: quantile(latencies, 0.99) };
}

/** As many requests a second as 16 callers get answered, who each wait for their answer. */
async function capacity(clients: Client[], task: LoadTask, seconds: number): Promise<number> {
  let answers = 0;
  const endsAt = performance.now() + seconds * 1_000;
  await Promise.all(
    clients.slice(0, 16).map(async (client, n) => {
      for (; performance.now() < endsAt; answers++) {
        const token = task.tokens[answers % task.tokens.length];
        const headers = `X-Forwarded-For: 10.9.9.${n}\r\n${token === undefined ? "" : `Authorization: Bearer ${token}\r\n`}`;
        await client.ask("GET /api/v1/read", headers);
      }
    }),
  );
  return answers / seconds;
}

const task = JSON.parse(process.argv[2]!) as LoadTask;
const clients: Client[] = [];
// In groups: the accept queue of the server is shorter than the number of sockets.
while (clients.length < task.sockets) {
  const group = Array.from({ length: 100 }, () => new Client(task.port));
  await Promise.all(group.map(({ opened }) => opened));
  clients.push(...group);
}
const carryOut = async ({ perSecond, seconds }: { perSecond?: number; seconds: number }): Promise<void> => {
  const isOpen = perSecond !== undefined;
  const result = isOpen ? await offer(clients, task, perSecond, seconds) : await capacity(clients, task, seconds);
  process.send!({ result });
};
process.on("message", order => void carryOut(order as { seconds: number }));
process.once("disconnect", () => process.exit());
process.send!({ ready: true });
