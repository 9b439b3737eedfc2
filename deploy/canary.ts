// A release of the gateway beside the one that serves: the component `canary`, and the routes of the mesh.
import type { Manifest, Release } from "./manifests.ts";

export const CANARY = "gateway-canary";
/** Two, so that one that is lost does not look like a bad release. */
const PODS = 2;

export interface Canary {
  /** The Deployment with this many pods. */
  readonly pods: (isTried: boolean) => Manifest;
  /** The routes with this part of the clients, in percent, at the canary. */
  readonly routes: (percent: number) => Manifest;
}

/** The canary of a release; undefined where its overlay has none, or no mesh that could send a part of the clients there. */
export function canaryOf({ manifests }: Release): Canary | undefined {
  const deployment = manifests.find(({ kind, metadata }) => kind === "Deployment" && metadata.name === CANARY);
  const routes = manifests.find(({ kind, spec }) => kind === "VirtualService" && weighted(spec).length > 0);
  if (!deployment || !routes) return undefined;
  return {
    pods: isTried => ({ ...deployment, spec: { ...deployment.spec, replicas: isTried ? PODS : 0 } }),
    routes: percent => withWeight(routes, percent),
  };
}

/** The routes that divide requests between both subsets. */
const weighted = (spec: any): any[][] =>
  (spec?.http ?? [])
    .map(({ route }: any) => route ?? [])
    .filter((route: any[]) => route.some(isCanary) && route.length > 1);

const isCanary = ({ destination }: any): boolean => destination?.subset === "canary";

function withWeight(routes: Manifest, percent: number): Manifest {
  const copy = structuredClone(routes);
  for (const destinations of weighted(copy.spec))
    for (const destination of destinations) destination.weight = isCanary(destination) ? percent : 100 - percent;
  return copy;
}
