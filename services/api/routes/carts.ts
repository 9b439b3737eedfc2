import { API, route } from "@valence/runtime/gateway";
import { pick } from "@valence/runtime/contract";
import { contract } from "../../carts/contract.ts";

const { put, removeItem } = contract.actions;

/** Each change answers the whole cart, and may be conditional on the cart's version. */
const answersCart = { versioned: true, contentLocation: `${API}/cart` } as const;

export const carts = [
  route("GET /cart", "carts.get", {
    summary: "The own cart",
    versioned: true,
    params: ({ user }) => ({ owner: user.id }),
  }),
  route("DELETE /cart", "carts.clear", {
    summary: "Empty the cart",
    ...answersCart,
    params: ({ user, conditions }) => ({ ...conditions, owner: user.id }),
  }),
  route("PUT /cart/items/:productId", "carts.put", {
    summary: "Set the quantity of a product in the cart",
    path: pick(put.params, "productId"),
    body: pick(put.params, "quantity"),
    ...answersCart,
    params: ({ path, body, user, conditions }) => ({ ...conditions, ...path, ...body, owner: user.id }),
  }),
  route("DELETE /cart/items/:productId", "carts.removeItem", {
    summary: "Take a product out of the cart",
    path: pick(removeItem.params, "productId"),
    ...answersCart,
    params: ({ path, user, conditions }) => ({ ...conditions, ...path, owner: user.id }),
  }),
];
