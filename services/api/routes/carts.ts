import Type from "typebox";
import { route } from "../route.ts";

const productId = Type.String({ format: "uuid" });

export const carts = [
  route("GET /cart", "carts.get", { summary: "The own cart", params: ({ user }) => ({ owner: user.id }) }),
  route("DELETE /cart", "carts.clear", { summary: "Empty the cart", params: ({ user }) => ({ owner: user.id }) }),
  route("PUT /cart/items/:productId", "carts.put", {
    summary: "Set the quantity of a product in the cart",
    path: { productId },
    body: { quantity: Type.Integer({ minimum: 1, maximum: 1_000 }) },
    params: ({ path, body, user }) => ({ owner: user.id, productId: path.productId, quantity: body.quantity }),
  }),
  route("DELETE /cart/items/:productId", "carts.removeItem", {
    summary: "Take a product out of the cart",
    path: { productId },
    params: ({ path, user }) => ({ owner: user.id, productId: path.productId }),
  }),
];
