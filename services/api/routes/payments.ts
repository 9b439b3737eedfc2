import { omit, pick } from "@valence/runtime/contract";
import { route } from "@valence/runtime/gateway";
import { contract } from "../../payments/contract.ts";

const { reauthorize } = contract.actions;

export const payments = [
  route("POST /ops/payments/:id/reauthorize", "payments.reauthorize", {
    summary:
      "Authorize a payment anew that can no longer be captured, by another token if one is given; then retry the saga",
    access: "admin",
    path: pick(reauthorize.params, "id"),
    body: omit(reauthorize.params, "id"),
    params: ({ path, body }) => ({ ...body, id: path.id }),
  }),
  route("GET /ops/payments/provider", "payments.provider", {
    summary: "Whether the payment provider refuses our requests, since when and why, as one node knows it",
    access: ["admin", "viewer"],
    params: () => ({}),
  }),
];
