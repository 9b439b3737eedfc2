// A program that does in a network namespace what its parent asks by messages: what a host does for its pods (probes), what a
// visitor of a pod does (connections), and the ends of the network that are not ours.
import { createServer as httpServer, get } from "node:http";
import { connect, createServer, type Server, type Socket } from "node:net";
import { createServer as tlsServer } from "node:tls";
import { SMTPServer } from "smtp-server";
import { startProvider } from "../../../services/payments/provider/provider.ts";

export interface Place {
  readonly host: string;
  readonly port: number;
}
interface Pair {
  readonly cert: string;
  readonly key: string;
}
/** What can be asked, with the answers. */
export interface Tasks {
  /** The status of an answer over HTTP; 0 without one. */
  probe(task: { url: string; timeoutMs: number }): Promise<number>;
  /** `open`, or the code of the error, of each. */
  connect(task: { places: Place[]; timeoutMs: number }): Promise<string[]>;
  /** Connections to the server that comes with the message go on to this place. */
  forward(task: Place, server?: Server): Promise<void>;
  /** Takes connections, and passes them on where there is a place to. */
  listen(task: { port: number; tls?: Pair; to?: Place }): Promise<void>;
  /** Answers everything with 200. */
  agree(task: { port: number }): Promise<void>;
  mail(task: { port: number; tls: Pair }): Promise<void>;
  mails(task: object): Promise<number>;
  provider(task: { filename: string; port: number }): Promise<void>;
}

let mails = 0;

const tasks: Tasks = {
  probe: ({ url, timeoutMs }) =>
    new Promise(resolve => {
      const request = get(url, { agent: false, timeout: timeoutMs, headers: { Connection: "close" } }, response => {
        response.resume();
        resolve(response.statusCode!);
      });
      request.on("timeout", () => request.destroy());
      request.on("error", () => resolve(0));
      // The time-out of a socket is of its idle time.
      setTimeout(() => request.destroy(), timeoutMs).unref();
    }),
  connect: ({ places, timeoutMs }) => Promise.all(places.map(place => tried(place, timeoutMs))),
  forward: async (to, server) => void server!.on("connection", socket => passOn(socket, to)),
  listen: ({ port, tls, to }) => {
    const taken = (socket: Socket): void => {
      socket.on("error", () => {});
      if (to) passOn(socket, to);
    };
    return listening(tls ? tlsServer(tls, taken) : createServer(taken), port);
  },
  agree: ({ port }) =>
    listening(
      httpServer((request, response) => void request.resume().on("end", () => response.end())),
      port,
    ),
  mail: ({ port, tls }) => {
    const server = new SMTPServer({
      ...tls,
      secure: true,
      logger: false,
      onAuth: (_auth, _session, done) => done(null, { user: "shop" }),
      onData(stream, _session, done) {
        stream.resume().on("end", () => {
          mails++;
          done();
        });
      },
    });
    server.on("error", () => {});
    return listening(server.server, port);
  },
  mails: async () => mails,
  provider: async task => void (await startProvider(task)),
};

function tried({ host, port }: Place, timeoutMs: number): Promise<string> {
  return new Promise(resolve => {
    const socket = connect({ host, port, timeout: timeoutMs });
    const end = (result: string): void => {
      socket.destroy();
      resolve(result);
    };
    socket.on("connect", () => end("open"));
    socket.on("timeout", () => end("ETIMEDOUT"));
    socket.on("error", (error: NodeJS.ErrnoException) => end(error.code ?? error.message));
  });
}

function passOn(socket: Socket, { host, port }: Place): void {
  const other = connect({ host, port });
  for (const [from, to] of [
    [socket, other],
    [other, socket],
  ] as const) {
    from.pipe(to);
    from.on("error", () => to.destroy());
    from.on("close", () => to.destroy());
  }
}

function listening(server: Server, port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    server.on("error", reject);
    server.listen(port, "0.0.0.0", resolve);
  });
}

process.on("message", ({ id, name, task }: { id: number; name: keyof Tasks; task: never }, handle) => {
  tasks[name](task, handle as never).then(
    answer => process.send!({ id, answer }),
    (error: Error) => process.send!({ id, error: error.message }),
  );
});
process.on("disconnect", () => process.exit());
