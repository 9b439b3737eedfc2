import Type from "typebox";
import { ActorId, Cursor, PersonLines, PersonText } from "@valence/runtime/contract";
import { Image } from "../../image.ts";
import { Money } from "../../money.ts";
import { API, route } from "@valence/runtime/gateway";

const id = Type.String({ format: "uuid" });
const moment = Type.String({ maxLength: 40 });
const fields = {
  sku: ActorId,
  name: PersonText({ maxLength: 200 }),
  description: PersonLines({ maxLength: 5_000, blank: true }),
  price: Money,
  category: PersonText({ maxLength: 60 }),
  image: Type.Optional(Image),
};

export const catalog = [
  route("GET /products", "catalog.list", {
    summary: "Search the catalog. A search without `sort` comes by rank, in pages by number only: no `cursor`",
    access: "public",
    query: {
      q: Type.Optional(Type.String({ maxLength: 100 })),
      category: Type.Optional(PersonText({ maxLength: 60, blank: true })),
      sort: Type.Optional(Type.Enum(["name", "-name", "price", "-price", "createdAt", "-createdAt"])),
      page: Type.Optional(Type.Integer({ minimum: 1, maximum: 1_000_000 })),
      cursor: Type.Optional(Cursor),
      pageSize: Type.Optional(Type.Integer({ minimum: 1, maximum: 100 })),
    },
    params: ({ query }) => query,
  }),
  route("GET /products/:id", "catalog.get", {
    summary: "One product",
    access: "public",
    path: { id },
    versioned: true,
    params: ({ path }) => path,
  }),
  route("POST /products", "catalog.create", {
    summary: "Add a product",
    access: "admin",
    body: fields,
    params: ({ body }) => body,
    status: 201,
    location: product => `${API}/products/${product.id}`,
  }),
  route("PATCH /products/:id", "catalog.update", {
    summary: "Change fields of a product",
    access: "admin",
    path: { id },
    body: {
      sku: Type.Optional(fields.sku),
      name: Type.Optional(fields.name),
      description: Type.Optional(fields.description),
      price: Type.Optional(fields.price),
      category: Type.Optional(fields.category),
      image: Type.Optional(Type.Union([Image, Type.Null()])),
      // The catalog's own: a product that is sent back as it was got has them.
      createdAt: Type.Optional(moment),
      updatedAt: Type.Optional(moment),
    },
    versioned: true,
    params: ({ path, body: { createdAt, updatedAt, ...changes }, conditions }) => ({
      ...changes,
      ...((createdAt ?? updatedAt) !== undefined && {
        unchanged: { ...(createdAt && { createdAt }), ...(updatedAt && { updatedAt }) },
      }),
      ...conditions,
      id: path.id,
    }),
  }),
  route("DELETE /products/:id", "catalog.remove", {
    summary: "Remove a product",
    access: "admin",
    path: { id },
    versioned: true,
    params: ({ path, conditions }) => ({ ...conditions, ...path }),
    status: 204,
  }),
];
