import Type from "typebox";
import { pick } from "@valence/runtime/contract";
import { route } from "@valence/runtime/gateway";
import { newId } from "@valence/runtime/kernel";
import { contract } from "../../things/contract.ts";

const { open } = contract.commands;

export const things = [
  route("POST /things", "things.open", {
    summary: "Open a thing",
    body: pick(open, "title"),
    status: 201,
    idempotent: true,
    location: ({ id }) => `/api/v1/things/${id}`,
    params: ({ body, user }) => ({ ...body, id: newId(), owner: user.id }),
  }),
  // #region projection
  route("GET /things", "things.list", {
    summary: "The own things, newest first",
    query: { after: Type.Optional(Type.String()) },
    params: ({ query, user }) => ({ ...query, owner: user.id }),
  }),
  // #endregion
  route("GET /things/:id", "things.view", {
    summary: "One of the own things",
    path: { id: Type.String({ format: "uuid" }) },
    params: ({ path }) => path,
  }),
];
