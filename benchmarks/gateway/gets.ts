// The load of GET requests, in a process of its own: connections without pipelining, each with one request in flight.
// By sockets, since an HTTP client takes more CPU for a request than the server that is measured.
import { connect } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { measure, task, type Effort } from "../contender.ts";

export interface GetLoad extends Effort {
  readonly port: number;
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  /** The status of every answer. */
  readonly status: number;
}

const { port, path, headers, status, ...effort } = task() as GetLoad;
const lines = Object.entries({ Host: `127.0.0.1:${port}`, ...headers }).map(([name, value]) => `${name}: ${value}\r\n`);
const request = Buffer.from(`GET ${path} HTTP/1.1\r\n${lines.join("")}\r\n`);
/** Milliseconds until a client that was refused sends the request again. */
const COMES_AGAIN_MS = 5;
const begins = `HTTP/1.1 ${status} `;

interface Connection {
  /** Sends the request and resolves when its answer is here: false for a 503, whose client comes again. */
  get(): Promise<boolean>;
}
const connections = await Promise.all(Array.from({ length: effort.callers }, open));

function open(): Promise<Connection> {
  return new Promise((resolve, reject) => {
    const socket = connect({ port, host: "127.0.0.1", noDelay: true });
    let answered = Promise.withResolvers<boolean>();
    let text = "";
    socket.on("data", chunk => {
      text += chunk.toString("latin1");
      const header = text.indexOf("\r\n\r\n");
      if (header < 0) return;
      const length = Number(/\r\ncontent-length: (\d+)/i.exec(text)?.[1] ?? 0);
      if (text.length < header + 4 + length) return;
      if (text.startsWith(begins)) answered.resolve(true);
      else if (text.startsWith("HTTP/1.1 503 ")) answered.resolve(false);
      else answered.reject(new Error(`GET ${path}: ${text.slice(0, 500)}`));
      text = "";
    });
    socket.on("error", error => {
      reject(error);
      answered.reject(error);
    });
    socket.on("close", () => answered.reject(new Error(`GET ${path}: the server has closed the connection`)));
    const get = (): Promise<boolean> => {
      answered = Promise.withResolvers();
      socket.write(request);
      return answered.promise;
    };
    socket.once("connect", () => resolve({ get }));
  });
}

const free = [...connections];
await measure(effort, async () => {
  const connection = free.pop()!;
  try {
    // A gateway that sheds load is measured by its answers; the time that a refusal costs the client counts as its latency.
    while (!(await connection.get())) await sleep(COMES_AGAIN_MS);
  } finally {
    free.push(connection);
  }
});
