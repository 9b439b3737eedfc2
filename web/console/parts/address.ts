// Where a thing has its screen.
const enc = encodeURIComponent;

export const sagaAddress = (id: string): string => `/console/sagas/${enc(id)}`;
export const actorAddress = ({ type, id }: { readonly type: string; readonly id: string }): string =>
  `/console/actors/${enc(type)}/${enc(id)}`;

export const traceAddress = (id: string): string => `/console/traces/${enc(id)}`;

type Params = Readonly<Record<string, unknown>>;
const query = (path: string, params: Params): string => {
  const entries = Object.entries(params).filter(([, value]) => value !== undefined);
  return entries.length === 0
    ? path
    : `${path}?${new URLSearchParams(entries.map(([key, value]): [string, string] => [key, String(value)]))}`;
};

/** The screen of each operation that shows something. */
const SCREENS: Readonly<Record<string, (params: Params) => string>> = {
  "ops.sagas": params => query("/console/sagas", params),
  "ops.saga": ({ id }) => sagaAddress(String(id)),
  "ops.trace": ({ id }) => traceAddress(String(id)),
  "ops.metrics": () => "/console/metrics",
  "ops.traces": params => query("/console/traces", params),
  "ops.consumers": () => "/console/projections",
  "ops.circuits": () => "/console/nodes",

  "ops.actor": ({ type, id }) => actorAddress({ type: String(type), id: String(id) }),
  "ops.deadLetters": params => query("/console/letters", params),
  "ops.quarantined": () => "/console/quarantine",
  "ops.projections": () => "/console/projections",
  "ops.nodes": () => "/console/nodes",
  "ops.lag": () => "/console/projections",
};

/** The address of the screen that looks further, if there is one. */
export const addressOf = (look: { readonly action: string; readonly params: Params } | undefined): string | undefined =>
  look && SCREENS[look.action]?.(look.params);
