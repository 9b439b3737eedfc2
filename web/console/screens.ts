// The screens of the console: one line each for the navigation, the addresses and what is loaded. Whoever adds one adds a line.
// The overview comes with the frame, where most visits begin; the others are `lazy(() => import("./pages/<screen>/view.tsx"))`.
import type { ComponentType } from "preact";
import type { IconName } from "../kit/index.ts";
import Overview from "./pages/overview/view.tsx";

export interface Screen {
  readonly label: string;
  /** Below `/console`. */
  readonly path: string;
  readonly icon: IconName;
  readonly view: ComponentType<any>;
}

export const screens: readonly Screen[] = [{ label: "Overview", path: "/console", icon: "pulse", view: Overview }];
