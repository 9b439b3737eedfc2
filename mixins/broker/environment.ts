// Whose tokens a node believes when a call of a person comes from another node.
import { defineEnvironment, text } from "../kernel/index.ts";

export const brokerEnvironment = defineEnvironment("Calls between nodes", {
  TOKEN_ISSUER: text({ default: "valence", says: "issuer and audience of access tokens" }),
});
