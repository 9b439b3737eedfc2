// `/metrics` on HEALTH_PORT, for a Prometheus that has METRICS_TOKEN. Without that variable nobody may read it there: it tells
// what an installation earns.
import type { ServiceBroker } from "moleculer";
import { isBearer, requestId, send, sendProblem, toProblem, type Handler } from "../http/siblings.ts";
import { metersOf, metricsEnvironment, scrape } from "../metrics/index.ts";
import { brokerErrors } from "./errors.ts";

/** No endpoint with METRICS=off. */
export function metricsEndpoint(broker: ServiceBroker): [path: string, Handler][] {
  if (!metersOf(broker)) return [];
  const { METRICS_TOKEN } = metricsEnvironment.of(broker);
  const handle: Handler = (req, res) => {
    const fail = (error: unknown): void => sendProblem(req, res, toProblem(error, requestId(req)));
    if (METRICS_TOKEN === undefined || !isBearer(req, METRICS_TOKEN)) return fail(brokerErrors.METRICS_DENIED());
    scrape(broker, req.headers.accept).then(
      answer => send(res, 200, answer!.text, { "Content-Type": answer!.type }),
      fail,
    );
  };
  return [["/metrics", handle]];
}
