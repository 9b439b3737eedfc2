// node test/shop/browser/pictures.ts (npm run pictures)
//
// Writes the pictures that README.md opens with, docs/images/<name>.png, from what the tests in a browser see. After a change of
// these screens: run it and look.
import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import sharp from "sharp";

/** The screen of each picture. */
const PICTURES: Readonly<Record<string, string>> = { storefront: "home", console: "console-projections" };
const WIDTH = 1280;
/** Pixels from the top: a page may be much longer. */
const HEIGHT = 800;
const IMAGES = join(import.meta.dirname, "../../../docs/images");

const folder = mkdtempSync(join(tmpdir(), "pictures-"));
const run = join(import.meta.dirname, "run.ts");
const names = Object.values(PICTURES).join("|");
const { status } = spawnSync(process.execPath, [run, "--screenshots", folder, "-t", `^(${names})-${WIDTH} `], {
  stdio: "inherit",
});
if (status === 0) {
  mkdirSync(IMAGES, { recursive: true });
  for (const [picture, screen] of Object.entries(PICTURES))
    await sharp(join(folder, `${screen}-${WIDTH}-light.png`))
      .extract({ left: 0, top: 0, width: WIDTH, height: HEIGHT })
      .png({ palette: true })
      .toFile(join(IMAGES, `${picture}.png`));
}
rmSync(folder, { recursive: true, force: true });
process.exitCode = status ?? 1;
