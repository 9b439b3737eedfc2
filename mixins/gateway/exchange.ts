// One request of one route on its way through the pipeline, and the steps that it passes.
import type { IncomingMessage, ServerResponse } from "node:http";
import type { Context, ServiceBroker } from "moleculer";
import type { Conditions } from "../contract/index.ts";
import type { Admission } from "./admission/admission.ts";
import type { Authenticator, Verified } from "./auth/authentication.ts";
import type { Request, Route } from "./route/route.ts";
import type { EventStreams } from "./sse/event-streams.ts";

/** A request with the fields that moleculer-web adds. */
export type GatewayRequest = IncomingMessage & {
  readonly $ctx: Context;
  readonly $params: { readonly params?: Record<string, string> };
  readonly originalUrl: string;
  /** The e-mail address that a log-in or registration is about; we add it. */
  $email?: string;
};

export interface Exchange {
  readonly route: Route;
  readonly req: GatewayRequest;
  readonly res: ServerResponse;
  /** The network of the client. */
  readonly address: string;
  /** When each step began, as `performance.now()` has it. */
  readonly marks: number[];
  /** Set by `identify`. */
  caller: Verified;
  /** Set by `readRequest`. */
  request: Request;
  /** The conditions of the client; undefined without any. Set by `readRequest`. */
  conditions: Conditions | undefined;
}

/** An answer on its way out, before it is written. */
export interface Answer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  /** A JSON value; `undefined` sends no body. */
  readonly body: unknown;
  /** The action's answer, before a step changed it. */
  readonly result: unknown;
}

/**
 * A step of the pipeline. It may refuse by throwing, answer by itself, or call `next` and change what comes back. An
 * answer that is `undefined` has been written already, or has no client any more.
 */
export type Step = (exchange: Exchange, next: () => Promise<Answer | undefined>) => Promise<Answer | undefined>;

/** The parts of a gateway that its steps use. */
export interface Parts {
  readonly broker: ServiceBroker;
  readonly routes: readonly Route[];
  readonly authenticator: Authenticator;
  readonly streams: EventStreams;
  readonly admission: Admission;
}
