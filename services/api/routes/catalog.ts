import Type, { type Static } from "typebox";
import { omit, pick } from "@valence/runtime/contract";
import { API, route } from "@valence/runtime/gateway";
import {
  CATEGORIES,
  categoryTag,
  contract,
  imageTag,
  PRODUCTS,
  productTag,
  type Product,
} from "../../catalog/contract.ts";

const { list, get, create, update, remove } = contract.actions;
/**
 * Prices may change at any time. A change reaches the gateways and, by a purge, the network before them, but no browser: that
 * asks each time, and mostly gets a 304.
 */
const kept = { maxAge: 0, sMaxAge: 60, staleWhileRevalidate: 30, staleIfError: 86_400 };
/** The category from before the change is not known here. */
const invalidates = (_result: unknown, { path }: { path: { id?: string } }) => [
  PRODUCTS,
  CATEGORIES,
  ...(path.id === undefined ? [] : [productTag(path.id)]),
];
const moment = Type.String({ maxLength: 40 });

export const catalog = [
  route("GET /products", "catalog.list", {
    summary:
      "Search the catalog. A search without `sort` comes by rank, in pages by number only; with `sort=rank` by `cursor`",
    access: "public",
    query: list.params,
    priority: "bulk",
    cache: {
      ...kept,
      tags: (_list, { query: { category } }) =>
        category === undefined ? [PRODUCTS] : [CATEGORIES, categoryTag(category)],
    },
    list: "rows",
    params: ({ query }) => query,
  }),
  route("GET /categories", "catalog.categories", {
    summary: "Categories of the catalog, with how many products each has",
    access: "public",
    cache: { ...kept, tags: () => [PRODUCTS] },
    params: () => ({}),
  }),
  route("GET /products/:id", "catalog.get", {
    summary: "One product",
    access: "public",
    path: get.params,
    cache: { ...kept, tags: ({ id }) => [productTag(id)] },
    versioned: true,
    params: ({ path }) => path,
  }),
  route("POST /products", "catalog.create", {
    summary: "Add a product",
    access: "admin",
    body: create.params,
    invalidates,
    params: ({ body }) => body,
    status: 201,
    location: product => `${API}/products/${product.id}`,
  }),
  route("PATCH /products/:id", "catalog.update", {
    summary: "Change fields of a product",
    access: "admin",
    path: pick(update.params, "id"),
    body: {
      ...omit(update.params, "id", "unchanged", "if"),
      // The catalog's own fields: a client that sends a product back as it was read includes them.
      createdAt: Type.Optional(moment),
      updatedAt: Type.Optional(moment),
    },
    versioned: true,
    invalidates,
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
    path: pick(remove.params, "id"),
    versioned: true,
    invalidates,
    params: ({ path, conditions }) => ({ ...conditions, ...path }),
    status: 204,
  }),
];

/** Of the storefront: what a search engine or the preview of a link is told about a product. */
export const productPages = {
  path: /^\/products\/(?<id>[\w-]{1,100})$/,
  action: "catalog.get",
  headOf: ({ id, name, description }: Static<typeof Product>) => ({
    title: `${name} · Valence`,
    description,
    image: `/images/${id}/960.jpg`,
  }),
};

/** Each product has an image at `/images/<its id>/<width>.<format>`; one without a picture has a drawing. */
export const images = {
  action: "catalog.get",
  imageOf: ({ image, name }: Static<typeof Product>) => ({ address: image, name }),
  tag: imageTag,
};
