/** Key of a product as data of a page. */
export const productKey = (id: string): string => `product ${id}`;
