import { mailTraces } from "@valence/runtime/mail";

export const traces = mailTraces("003-mail-traces");
