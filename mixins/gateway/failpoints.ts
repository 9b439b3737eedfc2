import { defineFailpoints } from "../kernel/index.ts";

export const failpoint = defineFailpoints("gateway:before-answer-kept");
