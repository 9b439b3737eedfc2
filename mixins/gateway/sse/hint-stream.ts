// A stream of hints: what there is of each topic, then each topic that has changed, as events without a name or an id. A client that
// comes back gets all topics again, and needs no place to go on from. The first look is made as the user, whom the action may refuse;
// the later ones are shared (`hints.ts`), so each hint is sent only while the user has a role for the route.
import type { ServerResponse } from "node:http";
import type { Context } from "moleculer";
import type { Meta } from "../../contract/index.ts";
import { answersHead, drained } from "../../http/siblings.ts";
import type { Verified } from "../auth/authentication.ts";
import { hasRole } from "../auth/authorize.ts";
import { gatewayErrors } from "../errors.ts";
import { limits } from "../limits.ts";
import { rolesFor, type ActionTarget, type Request, type Route } from "../route/route.ts";
import { endStream, STREAM_HEADERS, tokenExpired } from "./stream-answer.ts";
import type { Hint, Hints, HintSampler, Listener } from "./hints.ts";

export interface HintReader {
  readonly route: Route;
  readonly request: Request;
  readonly caller: Verified;
  readonly address: string;
  readonly ctx: Context;
}

export class HintStream implements Listener {
  readonly reader: HintReader;
  readonly #res: ServerResponse;
  readonly #sampler: HintSampler;
  readonly #params: { readonly topics?: string };
  readonly #wanted: ReadonlySet<string> | undefined;
  readonly #editions = new Map<string, string>();
  readonly #over = Promise.withResolvers<void>();
  #expired = false;
  #closed = false;

  constructor(res: ServerResponse, reader: HintReader, sampler: HintSampler) {
    this.reader = reader;
    this.#res = res;
    this.#sampler = sampler;
    this.#params = (reader.route.target as ActionTarget).params(reader.request);
    this.#wanted = this.topics === undefined ? undefined : new Set(this.topics.split(","));
  }

  get user(): string {
    return this.reader.caller.user.id;
  }
  get topics(): string | undefined {
    return this.#params.topics;
  }
  reads(): boolean {
    return false;
  }
  wake(): void {}

  async run(): Promise<void> {
    const { route, ctx } = this.reader;
    const { hints } = await ctx.call<Hints, object>((route.target as ActionTarget).action, this.#params);
    if (this.#closed && !this.#res.destroyed) throw this.#expired ? tokenExpired() : gatewayErrors.STOPPING();
    if (this.#closed) return;
    this.#res.writeHead(200, STREAM_HEADERS);
    if (answersHead(this.#res)) return void this.#res.end();
    this.#res.write("retry: 2000\n\n");
    for (const hint of hints) this.tell(hint);
    const leave = this.#sampler.listen(this);
    const heartbeat = setInterval(() => {
      if (!this.#res.writableNeedDrain) this.#res.write(":\n\n");
    }, limits.heartbeatMs);
    await this.#over.promise;
    clearInterval(heartbeat);
    leave();
  }

  /** Sends the hint if the topic has changed. A client that leaves its socket full gets the latest one later, or is cut. */
  tell({ topic, count, edition }: Hint): void {
    const isNews = this.#wanted?.has(topic) !== false && this.#editions.get(topic) !== edition;
    if (this.#closed || !isNews || this.#res.writableNeedDrain) return;
    if (!this.#mayAsk()) return this.expire();
    this.#editions.set(topic, edition);
    const isTaken = this.#res.write(`data: ${JSON.stringify({ topic, count })}\n\n`);
    if (!isTaken) void drained(this.#res, limits.streamStallMs);
  }

  lose(): void {
    this.end();
  }

  close(): void {
    this.#closed = true;
    this.#over.resolve();
  }

  expire(): void {
    this.#expired = true;
    this.end();
  }

  end(retryMs?: number): void {
    if (this.#closed) return;
    this.close();
    endStream(this.#res, retryMs);
  }

  /** The roles are those of the latest token. */
  #mayAsk(): boolean {
    const { route, ctx, caller } = this.reader;
    return hasRole((ctx.meta as Meta).user ?? caller.user, rolesFor(route.access));
  }
}
