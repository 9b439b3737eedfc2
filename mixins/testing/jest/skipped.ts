// The projects whose tests cannot run on this machine, as the set-up of such a project finds out: each has a variable, which
// jest's workers inherit, with the reason.
import type { Project } from "./kinds.ts";

export const SKIPPED = { kafka: "KAFKA_TESTS_SKIPPED" } as const satisfies Partial<Record<Project, string>>;

export const isSkipped = (project: Project): boolean =>
  project in SKIPPED && process.env[SKIPPED[project as keyof typeof SKIPPED]] !== undefined;
