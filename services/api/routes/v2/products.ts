import { strictObject } from "@valence/runtime/contract";
import { one, page, shape, type Succession } from "@valence/runtime/gateway";
import { contract, Product } from "../../../catalog/contract.ts";
import { catalog } from "../catalog.ts";

const { list, create } = contract.actions;
const change = catalog.find(({ method }) => method === "PATCH")!;

export const product = shape(Product).rename({ price: "unitPrice", createdAt: "created", updatedAt: "updated" });

/** Pages by cursor only, and an order by the names of this version. */
const search = shape(strictObject(list.params)).drop("page").values("sort", {
  price: "unitPrice",
  "-price": "-unitPrice",
  createdAt: "created",
  "-createdAt": "-created",
});

export const products = {
  "GET /products": {
    summary: "Search the catalog. A search without `sort` comes by rank",
    query: search,
    // Version 1 keeps its order of a search, which has no cursor.
    params: asked => ({ sort: "rank", ...asked }),
    answer: page(list.returns, "rows", product),
  },
  "GET /products/:id": { answer: one(product) },
  "POST /products": { body: shape(strictObject(create.params)).rename({ price: "unitPrice" }), answer: one(product) },
  "PATCH /products/:id": {
    body: shape(strictObject(change.body)).rename({ price: "unitPrice", createdAt: "created", updatedAt: "updated" }),
    answer: one(product),
  },
  "DELETE /products/:id": {},
} satisfies Readonly<Record<string, Succession>>;
