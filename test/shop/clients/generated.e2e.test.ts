// @slow, and not among the tests of `npm test`: `npm run test:generated` runs it where Java and Maven are. The openapi-generator
// makes a client in TypeScript of every operation, which compiles without a warning, and which shops.
import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { writeFileSync } from "node:fs";
import { has, Workbench } from "./workbench.ts";

const GENERATOR = "org.openapitools:openapi-generator-cli:7.14.0";
const COPY = "org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy";
const isAsked = process.env["GENERATED"] === "on" && has("java", "-version") && has("mvn", "--version");
// The generator is a Java program of 30 MB, which Maven fetches: only for those who ask for it.
const tryIt = isAsked ? test : test.skip;

let bench: Workbench;
beforeAll(async () => {
  if (!isAsked) return;
  bench = await Workbench.open();
  bench.install();
}, 600_000);
afterAll(() => bench?.close());

tryIt(
  "openapi-generator makes a client that compiles and shops, with names that people would choose",
  () => {
    bench.run("mvn", ["-q", "-B", COPY, `-Dartifact=${GENERATOR}`, `-DoutputDirectory=${bench.folder}`]);
    const jar = bench.path(`${GENERATOR.split(":").slice(1).join("-")}.jar`);
    const options = ["--generate-alias-as-model", "--additional-properties=supportsES6=true"];
    bench.run("java", [
      "-jar",
      jar,
      "generate",
      "-g",
      "typescript-fetch",
      "-i",
      bench.path("admin.json"),
      "-o",
      "made",
      ...options,
    ]);
    const models = bench.run("ls", ["made/models"]).split("\n");
    expect(models.filter(name => name.startsWith("Inline"))).toEqual([]);
    expect(models).toEqual(
      expect.arrayContaining(["Money.ts", "Order.ts", "Product.ts", "PlaceOrderBody.ts", "Problem.ts"]),
    );
    writeFileSync(bench.path("made-shopper.ts"), SHOPPER);
    bench.run("tsc", [
      "--strict",
      "--module",
      "commonjs",
      "--target",
      "es2022",
      "--lib",
      "es2022,dom",
      "--outDir",
      "built",
      "made-shopper.ts",
    ]);
    writeFileSync(bench.path("built/package.json"), '{ "type": "commonjs" }');
    const output = bench.run(process.execPath, ["built/made-shopper.js", bench.shop.url]);
    expect(JSON.parse(output)).toEqual({ sku: expect.any(String), quantity: 2, refused: 422 });
  },
  900_000,
);

const SHOPPER = `
import { AccountsApi, CartsApi, CatalogApi, Configuration, ResponseError } from "./made/index";
declare const process: { argv: string[] };
const basePath = process.argv[2]!;
async function main(): Promise<void> {
  const open = new Configuration({ basePath });
  const accounts = new AccountsApi(open);
  const account = { email: "gert@example.org", password: "correct horse battery" };
  await accounts.register({ registerBody: { ...account, name: "Gert" } });
  const { accessToken } = await accounts.login({ loginBody: account });
  const product = (await new CatalogApi(open).listProducts({ pageSize: 1 })).rows[0]!;
  const carts = new CartsApi(new Configuration({ basePath, accessToken }));
  const cart = await carts.putCartItem({ productId: product.id, putCartItemBody: { quantity: 2 } });
  const refused = await carts.putCartItem({ productId: product.id, putCartItemBody: { quantity: 0 } }).catch((error: unknown) => error);
  console.log(JSON.stringify({ sku: product.sku, quantity: cart.items[0]!.quantity, refused: (refused as ResponseError).response.status }));
}
void main();
`;
