import { defineFailpoints } from "@valence/runtime/kernel";

export const failpoint = defineFailpoints("payments:after-request", "payments:after-provider");
