// The client of the shop's API: `createClient({ url }).products.list({ q: "mug" })`.
export { apiKey, cookies, tokens, type Credentials, type TokenCredentials, type Tokens } from "./credentials.ts";
export { createClient, type AnswerOf, type Client, type CodeOf, type InputOf, type RowOf } from "./client.ts";
export type { Answered, CallOptions, ClientOptions } from "./call.ts";
export { ProblemError, type ClientCode, type Issue, type Outcome, type Problem } from "./problem.ts";
