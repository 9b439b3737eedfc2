import Type from "typebox";
import {
  ActorId,
  Conditions,
  Cursor,
  defineContract,
  TextLines,
  TextLine,
  callErrors,
} from "@valence/runtime/contract";
import { shopErrors } from "../errors.ts";
import { Image } from "../image.ts";
import { Money } from "../money.ts";
import { catalogErrors } from "./errors.ts";

const fields = {
  sku: ActorId,
  name: TextLine({ maxLength: 200 }),
  description: TextLines({ maxLength: 5_000, blank: true }),
  price: Money,
  category: TextLine({ maxLength: 60 }),
  image: Type.Optional(Image),
};
/**
 * Tags of kept answers: of one product, of lists of all categories, of lists of one category, and of the lists of any one
 * category. A change of a product leaves the lists of other categories as they are.
 */
export const productTag = (id: string): string => `product:${id}`;
/** Of the images of a product: a change of its price leaves them. */
export const imageTag = (id: string): string => `image:${id}`;
export const PRODUCTS = "products";
export const categoryTag = (category: string): string => `category:${category}`;
export const CATEGORIES = "categories";

export const Product = Type.Object(
  { id: Type.String(), ...fields, createdAt: Type.String(), updatedAt: Type.String() },
  { title: "Product" },
);
const id = Type.String({ format: "uuid" });

export const contract = defineContract({
  service: "catalog",
  actions: {
    list: {
      params: {
        q: Type.Optional(Type.String({ maxLength: 100 })),
        category: Type.Optional(TextLine({ maxLength: 60, blank: true })),
        /** `rank`: by how well the search fits, in pages by cursor; by name where there is no search. */
        sort: Type.Optional(Type.Enum(["name", "-name", "price", "-price", "createdAt", "-createdAt", "rank"])),
        page: Type.Optional(Type.Integer({ minimum: 1, maximum: 1_000_000 })),
        cursor: Type.Optional(Cursor),
        pageSize: Type.Optional(Type.Integer({ minimum: 1, maximum: 100 })),
      },
      returns: Type.Object({
        rows: Type.Array(Product),
        total: Type.Integer(),
        /** Present on a page that was asked for by number. */
        page: Type.Optional(Type.Integer()),
        pageSize: Type.Integer(),
        /** Where the next page begins; absent on the last. */
        nextCursor: Type.Optional(Type.String()),
      }),
    },
    /** Categories that have products, by name, with how many each has. */
    categories: {
      params: {},
      returns: Type.Object({
        rows: Type.Array(
          Type.Object({ category: Type.String(), products: Type.Integer() }, { title: "ProductCategory" }),
        ),
      }),
    },
    get: { params: { id }, returns: Product },
    /** The product that has this SKU now, never a cached answer. */
    bySku: { params: { sku: ActorId }, returns: Product },
    /** Prices and names of several products at once; refused when some are unknown, naming each. */
    quote: {
      params: { ids: Type.Array(id, { minItems: 1, maxItems: 100 }) },
      returns: Type.Object({ products: Type.Array(Product) }),
    },
    create: { params: fields, returns: Product },
    update: {
      params: {
        id,
        sku: Type.Optional(fields.sku),
        name: Type.Optional(fields.name),
        description: Type.Optional(fields.description),
        price: Type.Optional(fields.price),
        category: Type.Optional(fields.category),
        /** `null` takes it away. */
        image: Type.Optional(Type.Union([Image, Type.Null()])),
        /** The values that the client has of the catalog's own fields: refused when they differ. */
        unchanged: Type.Optional(
          Type.Object(
            { createdAt: Type.Optional(Type.String()), updatedAt: Type.Optional(Type.String()) },
            { additionalProperties: false },
          ),
        ),
        if: Type.Optional(Conditions),
      },
      returns: Product,
    },
    remove: { params: { id, if: Type.Optional(Conditions) }, returns: Type.Object({ id: Type.String() }) },
    seed: {
      params: { products: Type.Array(Type.Object(fields, { additionalProperties: false }), { maxItems: 1_000 }) },
      returns: Type.Object({ created: Type.Integer() }),
    },
  },
  refusals: {
    ...catalogErrors,
    PRODUCT_NOT_FOUND: shopErrors.PRODUCT_NOT_FOUND,
    PRECONDITION_FAILED: callErrors.PRECONDITION_FAILED,
  },
  mayRefuse: {
    list: [],
    categories: [],
    get: ["PRODUCT_NOT_FOUND"],
    bySku: ["PRODUCT_NOT_FOUND"],
    quote: ["PRODUCT_NOT_FOUND"],
    create: ["SKU_TAKEN", "SKU_IN_STOCK"],
    update: ["PRODUCT_NOT_FOUND", "SKU_TAKEN", "SKU_IN_STOCK", "PRECONDITION_FAILED"],
    remove: ["PRODUCT_NOT_FOUND", "PRECONDITION_FAILED"],
    seed: [],
  },
  // `bySku` is for other services only.
  permissions: {
    bySku: false,
    create: "products:write",
    update: "products:write",
    remove: "products:write",
    seed: "products:write",
  },
  callers: { inventory: ["bySku"], seed: ["seed"] },
});
declare global {
  interface Contracts {
    catalog: typeof contract;
  }
}
