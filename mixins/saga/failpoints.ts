import { defineFailpoints } from "../kernel/index.ts";

export const failpoint = defineFailpoints("saga:before-step", "saga:after-step", "saga:before-undo");
