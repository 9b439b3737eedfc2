// The screens of the console: one line each for the navigation, the addresses and what is loaded. Whoever adds one adds a line.
// The overview comes with the frame, where most visits begin; the others are `lazy(() => import("./pages/<screen>/view.tsx"))`.
import { lazy } from "preact-iso";
import type { ComponentType } from "preact";
import type { IconName } from "../kit/index.ts";
import Overview from "./pages/overview/view.tsx";

export interface Screen {
  /** Of the navigation; a screen without one is reached from others. */
  readonly label?: string;
  /** Below `/console`. */
  readonly path: string;
  readonly icon: IconName;
  readonly view: ComponentType<any>;
}

export const screens: readonly Screen[] = [
  { label: "Overview", path: "/console", icon: "pulse", view: Overview },
  { label: "Search", path: "/console/search", icon: "search", view: lazy(() => import("./pages/actors/view.tsx")) },
  { label: "Sagas", path: "/console/sagas", icon: "list", view: lazy(() => import("./pages/sagas/view.tsx")) },
  { path: "/console/sagas/:id", icon: "list", view: lazy(() => import("./pages/saga/view.tsx")) },
  { path: "/console/actors/:type/:id", icon: "box", view: lazy(() => import("./pages/actor/view.tsx")) },
  {
    label: "Dead letters",
    path: "/console/letters",
    icon: "mail",
    view: lazy(() => import("./pages/letters/view.tsx")),
  },
  {
    label: "Quarantine",
    path: "/console/quarantine",
    icon: "lock",
    view: lazy(() => import("./pages/quarantine/view.tsx")),
  },
  {
    label: "Projections",
    path: "/console/projections",
    icon: "layers",
    view: lazy(() => import("./pages/projections/view.tsx")),
  },
  { label: "Nodes", path: "/console/nodes", icon: "nodes", view: lazy(() => import("./pages/nodes/view.tsx")) },
  { label: "Metrics", path: "/console/metrics", icon: "chart", view: lazy(() => import("./pages/metrics/view.tsx")) },
  { label: "Traces", path: "/console/traces", icon: "pulse", view: lazy(() => import("./pages/traces/view.tsx")) },
  { path: "/console/traces/:id", icon: "pulse", view: lazy(() => import("./pages/trace/view.tsx")) },
  { label: "Shop", path: "/console/shop", icon: "shop", view: lazy(() => import("./pages/shop/view.tsx")) },
  {
    label: "Activity",
    path: "/console/activity",
    icon: "clock",
    view: lazy(() => import("./pages/activity/view.tsx")),
  },
  {
    label: "Settings",
    path: "/console/settings",
    icon: "gear",
    view: lazy(() => import("./pages/settings/view.tsx")),
  },
];
