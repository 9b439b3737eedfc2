// The lines of `/metrics` about overload: by priority and by service, of which there are few.
import type { Registered } from "../observability/metrics.ts";
import type { Entrance } from "./entrance.ts";

export function entranceMetrics({ refused, shares }: Entrance): Registered[] {
  const byService = (value: (share: (typeof shares)[number]) => number) =>
    shares.map(share => ({ labels: { service: share.service }, value: value(share) }));
  return [
    {
      type: "counter",
      name: "http_requests_shed_total",
      values: [...refused].map(([priority, value]) => ({ labels: { priority }, value })),
    },
    { type: "gauge", name: "http_service_calls", values: byService(({ atWork }) => atWork) },
    { type: "gauge", name: "http_service_calls_max", values: byService(({ limit }) => limit) },
  ];
}
