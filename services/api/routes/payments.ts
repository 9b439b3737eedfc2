import Type from "typebox";
import { ActorId } from "@valence/runtime/contract";
import { route } from "@valence/runtime/gateway";

const access = "admin";

export const payments = [
  route("POST /ops/payments/:id/reauthorize", "payments.reauthorize", {
    summary:
      "Authorize anew what could not be captured any more, by another token if one is given; then retry the saga",
    access,
    path: { id: ActorId },
    body: { token: Type.Optional(Type.String({ minLength: 1, maxLength: 200, format: "no-card-number" })) },
    params: ({ path, body }) => ({ ...body, id: path.id }),
  }),
  route("GET /ops/payments/provider", "payments.provider", {
    summary: "Whether the payment provider refuses our requests as such, since when and why, as one node knows it",
    access,
    params: () => ({}),
  }),
];
