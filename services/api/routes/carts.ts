import Type from "typebox";
import { API, route } from "@valence/runtime/gateway";

const productId = Type.String({ format: "uuid" });

/** Each change answers the whole cart, by whose version it may be conditional. */
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
    path: { productId },
    body: { quantity: Type.Integer({ minimum: 1, maximum: 1_000 }) },
    ...answersCart,
    params: ({ path, body, user, conditions }) => ({ ...conditions, ...path, ...body, owner: user.id }),
  }),
  route("DELETE /cart/items/:productId", "carts.removeItem", {
    summary: "Take a product out of the cart",
    path: { productId },
    ...answersCart,
    params: ({ path, user, conditions }) => ({ ...conditions, ...path, owner: user.id }),
  }),
];
