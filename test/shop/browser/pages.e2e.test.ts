// The pages of the shop in a real browser, over a real shop. `npm run test:browser` looks at every screen at three widths, in light and
// in dark; the ordinary run at some.
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { until } from "@valence/runtime/testing";
import { newDatabases, type Databases } from "@valence/runtime/testing/servers";
import { ADMIN } from "../support/peopled-shop.ts";
import { Shop } from "../support/shop.ts";
import { screens } from "./screens.ts";
import { SCHEMES, Visitor, WIDTHS, type Scheme, type Screen, type Width } from "./visitor.ts";

const isWhole = process.env["BROWSER"] === "all";
const pictures = process.env["SCREENSHOTS"];

/** Milliseconds of a build: it takes two seconds, on a busy machine ten times that. */
const BUILT_MS = 60_000;
const CUSTOMER = { email: "ada@example.org", password: "correct horse battery" };
let databases: Databases;
let shop: Shop;
let visitor: Visitor;
beforeAll(async () => {
  databases = await newDatabases();
  const admin = { ADMIN_EMAIL: ADMIN.email, ADMIN_PASSWORD: ADMIN.password };
  shop = await Shop.start({ ...databases.env, ...admin, WEB: "on", RATE_LIMIT_PERCENT: "0" });
  await shop.customer("ada");
  // The start builds them where they are stale. (Within jest's realm the bundler refuses its own options.)
  const page = { headers: { accept: "text/html" } };
  await until("the pages are built", async () => (await fetch(shop.url, page)).status === 200, BUILT_MS);
  visitor = await Visitor.start({ url: shop.url, customer: CUSTOMER, operator: ADMIN });
}, 300_000);
afterAll(async () => {
  await visitor?.stop();
  await shop?.stop();
  await databases?.remove();
});

const views: readonly [Screen, Width, Scheme][] = isWhole
  ? screens.flatMap(screen =>
      WIDTHS.flatMap(width => SCHEMES.map((scheme): [Screen, Width, Scheme] => [screen, width, scheme])),
    )
  : screens.flatMap((screen): [Screen, Width, Scheme][] =>
      screen.name === "home"
        ? [[screen, 360, "light"]]
        : screen.name === "product"
          ? [[screen, 1280, "dark"]]
          : screen.name === "console-overview"
            ? [[screen, 360, "dark"]]
            : [],
    );

describe("every screen is readable, fits its width, and its policy blocks nothing", () => {
  test.each(
    views.map(([screen, width, scheme]) => [`${screen.name}-${width}-${scheme}`, screen, width, scheme] as const),
  )("%s", async (name, screen, width, scheme) => {
    const tab = await visitor.tab(screen.as, width, scheme);
    try {
      await tab.visit(screen);
      if (pictures !== undefined) await tab.picture(pictures, name);
      expect(await tab.faults()).toEqual([]);
    } finally {
      await tab.close();
    }
  });
});
