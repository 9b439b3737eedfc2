// Code that must not compile. Each @ts-expect-error has to be needed: `npm run types` fails if one is not. The file is
// never run.
import { defineContract, type Call, type User } from "@valence/runtime/contract";
import { route } from "@valence/runtime/gateway";

declare const call: Call;

// ---- contracts of tests and benchmarks are in projects of their own
// @ts-expect-error a benchmark's
void call("counters.add", { id: "1", by: 1 });
// @ts-expect-error of the saga's tests
void call("shelves.take", { item: "1" });
// @ts-expect-error of the hello domain
void call("loyalty.earn", { id: "1", points: 1 });

// ---- roles
const commands = { open: {} };
// @ts-expect-error a permission that has no word
defineContract({ service: "doors", commands, permissions: { open: "doors" } });
const me = { summary: "", params: ({ user }: { user: User }) => ({ id: user.id }) };
// @ts-expect-error a role that the shop does not declare
route("GET /me", "accounts.get", { ...me, access: "clerk" });
route("GET /me", "accounts.get", { ...me, access: ["customer", "admin"] });
declare const user: User;
// @ts-expect-error likewise of a user
user.roles.includes("clerk");
