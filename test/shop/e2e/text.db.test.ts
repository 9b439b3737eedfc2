// A person whose name has an accent, on two systems that encode it differently, in a country without postal codes.
import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { until } from "@valence/runtime/testing";
import { newDatabases, type Databases } from "@valence/runtime/testing/servers";
import { orderOf, Shop } from "../support/shop.ts";

let databases: Databases;
let shop: Shop;
beforeAll(async () => {
  databases = await newDatabases();
  shop = await Shop.start({ ...databases.env });
}, 60_000);
afterAll(async () => {
  await shop?.stop();
  await databases.remove();
});

test("registers on one system, logs in on another, finds a mug by its words and gets it in Hong Kong", async () => {
  const [email, password] = ["zo\u00eb@example.org", "p\u00e2t\u00e9 en cro\u00fbte"];
  const registered = await shop.request("POST", "/api/v1/auth/register", {
    body: { email: `${email.normalize("NFD")}\u00a0`, password: password.normalize("NFD"), name: " Zoe\u0308" },
  });
  expect(registered).toMatchObject({ status: 201, body: { email, name: "Zo\u00eb" } });
  const again = { email: ` ${email}`, password, name: "Zo\u00eb" };
  expect((await shop.request("POST", "/api/v1/auth/register", { body: again })).status).toBe(409);
  const token = await shop.login(email, password);

  const found = await shop.request("GET", `/api/v1/products?q=${encodeURIComponent("ÓAT mug")}&pageSize=2`);
  expect(found.body.rows.map(({ name }: { name: string }) => name).toSorted()).toEqual([
    "Camp Mug, Oat",
    "Harbour Mug, Oat",
  ]);

  const shippingAddress = {
    name: "Zoe\u0308",
    company: "Analytical Ltd",
    line1: "1 Queen's Road",
    city: "Central",
    region: "Hong Kong Island",
    country: "HK",
    phone: "\u202a+852 2123 4567\u202c",
  };
  const body = { ...orderOf([{ productId: found.body.rows[0].id, quantity: 1 }]), shippingAddress };
  const placed = await shop.request("POST", "/api/v1/orders", { token, body });
  expect(placed.status).toBe(201);
  const order = async () => (await shop.request("GET", `/api/v1/orders/${placed.body.id}`, { token })).body;
  await until("it has shipped", async () => (await order()).status === "shipped");
  expect((await order()).shippingAddress).toEqual({ ...shippingAddress, name: "Zo\u00eb", phone: "+852 2123 4567" });
});
