// The load of every HTTP case, in a process of its own: connections without pipelining, each with one request in flight.
import { randomUUID } from "node:crypto";
import { Pool } from "undici";
import { measure, task, type Effort } from "../contender.ts";

export interface HttpLoad extends Effort {
  readonly origin: string;
  /** `/counter/{n}/add`; `{n}` counts up to `ids`, then starts from 0 again. */
  readonly path: string;
  readonly ids: number;
  /** Sent in turn. */
  readonly bodies: readonly string[];
  readonly headers: Readonly<Record<string, string>>;
  /** Whether each request has an Idempotency-Key of its own. */
  readonly keys: boolean;
}

const { origin, path, ids, bodies, headers, keys, ...effort } = task() as HttpLoad;
const pool = new Pool(origin, { connections: effort.callers, pipelining: 1 });
const paths = Array.from({ length: ids }, (_, n) => path.replace("{n}", `c${n}`));

/** The cheapest way that undici has: CPU that the generator takes, the measured process lacks. */
const request = (n: number): Promise<void> =>
  new Promise((resolve, reject) => {
    let status = 0;
    let answer = "";
    pool.dispatch(
      {
        method: "POST",
        path: paths[n % ids]!,
        body: bodies[n % bodies.length]!,
        headers: {
          "content-type": "application/json",
          ...headers,
          ...(keys && { "idempotency-key": randomUUID() }),
        },
      },
      {
        onRequestStart() {},
        onResponseStart(_controller: unknown, code: number) {
          status = code;
        },
        onResponseData(_controller: unknown, chunk: Buffer) {
          if (status >= 300) answer += chunk;
        },
        onResponseEnd: () => (status < 300 ? resolve() : reject(new Error(`status ${status}: ${answer}`))),
        onResponseError: (_controller: unknown, error: Error) => reject(error),
      },
    );
  });
await measure(effort, request);
