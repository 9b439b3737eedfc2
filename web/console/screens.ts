// The screens of the console: one line each for the navigation, the addresses and what is loaded. Whoever adds one adds a line.
import { lazy } from "preact-iso";
import type { ComponentType } from "preact";
import type { IconName } from "../kit/index.ts";

export interface Screen {
  readonly label: string;
  /** Below `/console`. */
  readonly path: string;
  readonly icon: IconName;
  readonly view: ComponentType<any>;
}

export const screens: readonly Screen[] = [
  { label: "Overview", path: "/console", icon: "pulse", view: lazy(() => import("./pages/overview/view.tsx")) },
];
