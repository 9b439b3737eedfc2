// What a roll-out tries of the catalog.
import { defineSmoke } from "@valence/runtime/operations";

export const smoke = defineSmoke([
  {
    says: "products are listed, and one is read",
    async run(visitor) {
      const { rows, total } = await visitor.get<{ rows: { id: string }[]; total: number }>(
        "/api/v1/products?sort=name&pageSize=1",
      );
      const [first] = rows;
      if (!first) throw new Error("the catalog is empty");
      const { name } = await visitor.get<{ name: string }>(`/api/v1/products/${first.id}`);
      return `${total}, the first is ${name}`;
    },
  },
]);
