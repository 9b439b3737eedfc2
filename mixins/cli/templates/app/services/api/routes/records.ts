import { pick } from "@valence/runtime/contract";
import { route } from "@valence/runtime/gateway";
import { contract } from "../../records/contract.ts";

const { list, get, create, update } = contract.actions;

export const records = [
  route("POST /records", "records.create", {
    summary: "Create a record",
    body: create.params,
    status: 201,
    location: ({ id }) => `/api/v1/records/${id}`,
    params: ({ body }) => body,
  }),
  route("GET /records", "records.list", {
    summary: "Records, by name",
    query: list.params,
    params: ({ query }) => query,
  }),
  route("GET /records/:id", "records.get", {
    summary: "A record",
    path: get.params,
    params: ({ path }) => path,
  }),
  route("PATCH /records/:id", "records.update", {
    summary: "Change a record",
    path: get.params,
    body: pick(update.params, "name", "note"),
    params: ({ path, body }) => ({ ...path, ...body }),
  }),
  route("DELETE /records/:id", "records.remove", {
    summary: "Remove a record",
    path: get.params,
    status: 204,
    params: ({ path }) => path,
  }),
];
