// One request of one route on its way through the pipeline, and the steps that it passes.
import type { IncomingMessage, ServerResponse } from "node:http";
import type { Context, ServiceBroker } from "moleculer";
import type { Conditions } from "../contract/index.ts";
import type { Admission } from "./admission/admission.ts";
import type { Verified } from "./auth/authentication.ts";
import type { Callers } from "./auth/callers.ts";
import type { CrossSite } from "./auth/cross-site.ts";
import type { SessionCookies } from "./auth/session-cookies.ts";
import type { Turn } from "./admission/turn.ts";
import type { AnswerCache, Entry } from "./cache/answer-cache.ts";
import type { ResponseCache } from "./cache/response-cache.ts";
import type { Request, Route } from "./route/route.ts";
import type { EventStreams } from "./sse/event-streams.ts";
import type { Downloads } from "./versions/downloads.ts";

/** A request with the fields that moleculer-web adds. */
export type GatewayRequest = IncomingMessage & {
  readonly $ctx: Context;
  readonly $params: { readonly params?: Record<string, string> };
  readonly originalUrl: string;
  /** The e-mail address that a log-in or registration is about; we add it. */
  $email?: string;
  /** Its turn at the entrance; we add it. */
  $turn?: Turn;
};

export interface Exchange {
  readonly route: Route;
  readonly req: GatewayRequest;
  readonly res: ServerResponse;
  /** The network of the client. */
  readonly address: string;
  readonly marks: Mark[];
  /** Set by `identify`. */
  caller: Verified;
  /** Set by `readRequest`. */
  request: Request;
  /** The conditions of the client; undefined without any. Set by `readRequest`. */
  conditions: Conditions | undefined;
  /** The kept answer from which this one is made. Set by `answerFromCache`. */
  kept?: Entry | undefined;
}

/** When a step began. */
export interface Mark {
  /** Index of the step. */
  readonly at: number;
  /** As `performance.now()` has it. */
  readonly began: number;
}

/** An answer on its way out, before it is written. */
export interface Answer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  /**
   * A JSON value, a text with a `Content-Type` of its own, or such a text in parts (`TextParts`); `undefined` sends no body.
   */
  readonly body: unknown;
  /** The action's answer, before a step changed it. */
  readonly result: unknown;
  /** Whether the client has this answer already: it gets a 304 instead. Set by `validate`. */
  readonly isUnchanged?: boolean;
}

/**
 * A step of the pipeline. It may refuse by throwing, answer by itself, or call `next` and change what comes back. An
 * answer that is `undefined` has been written already, or has no client any more.
 */
export type Step = Pass & {
  /** Whether it has anything to do for requests of this route. Default: for all. The others do not pass it. */
  readonly isFor?: (route: Route) => boolean;
};
type Pass = (exchange: Exchange, next: () => Promise<Answer | undefined>) => Promise<Answer | undefined>;

/** A step of some routes only. It need not ask again whether the route is one of them. */
export const stepFor = (isFor: (route: Route) => boolean, pass: Pass): Step => Object.assign(pass, { isFor });

/** The parts of a gateway that its steps use. */
export interface Parts {
  readonly broker: ServiceBroker;
  readonly routes: readonly Route[];
  readonly callers: Callers;
  readonly cookies: SessionCookies;
  readonly crossSite: CrossSite;
  readonly streams: EventStreams;
  readonly downloads: Downloads;
  readonly admission: Admission;
  /** The service that keeps answers to Idempotency-Keys where there is no Redis. */
  readonly keyService: string;
  readonly answers: AnswerCache;
  readonly responses: ResponseCache;
}
