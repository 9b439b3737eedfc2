// node client/packing.ts prepack|postpack, as npm calls it: JavaScript with declarations, since Node strips no types below
// `node_modules`. The types of the routes are written out, so that the package needs neither the server nor TypeBox.
//
// node client/packing.ts types: writes them alone, into `dist/`, where `npm run types` compares them with the inferred ones.
import { execFileSync } from "node:child_process";
import { cpSync, globSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { manifestIn, packingStep, withJsImports, type Manifest } from "../mixins/packing.ts";
import { flatTypes } from "./flat-types.ts";

const ROOT = import.meta.dirname;
export const readManifest = (): Manifest => manifestIn(ROOT);

const NOT_PACKED = /\.test\.ts$|^(negative|packing|flat-types|types)\.ts$/;

/** Compiles the client into a folder. Throws with the compiler's messages. */
export function build(folder: string): void {
  rmSync(folder, { recursive: true, force: true });
  // Compiled where the written types stand in place of those that are inferred.
  const sources = mkdtempSync(join(ROOT, ".build-"));
  try {
    for (const file of globSync("*.ts", { cwd: ROOT }))
      if (!NOT_PACKED.test(file)) cpSync(join(ROOT, file), join(sources, file));
    writeFileSync(join(sources, "types.ts"), flatTypes());
    writeFileSync(join(sources, "tsconfig.json"), JSON.stringify({ extends: "../../tsconfig.json", ...OPTIONS }));
    execFileSync("tsc", ["-p", sources, "--outDir", folder], { encoding: "utf8", stdio: "pipe" });
  } catch (error) {
    throw new Error(`the client does not compile:\n${(error as { stdout?: string }).stdout}`, { cause: error });
  } finally {
    rmSync(sources, { recursive: true });
  }
  for (const file of globSync("*.d.ts", { cwd: folder })) {
    const path = join(folder, file);
    writeFileSync(path, withJsImports(readFileSync(path, "utf8")));
  }
}
const OPTIONS = {
  compilerOptions: {
    noEmit: false,
    noEmitOnError: true,
    rootDir: ".",
    declaration: true,
    rewriteRelativeImportExtensions: true,
    lib: ["esnext", "dom", "dom.iterable"],
    types: [],
  },
  files: ["index.ts"],
  include: [],
};

/** Both say the same: what is written fits what is inferred, line by line. */
const AGREEMENT = `import type { GeneralCode, Line, Routes } from "../types.ts";
import type * as flat from "./types.ts";

type Fits<A extends B, B> = A;
export type Agreement = [
  Fits<Line, flat.Line>,
  Fits<{ [L in flat.Line]: Omit<flat.Routes[L], "rows"> }, { [L in Line]: Omit<Routes[L], "line" | "rows"> }>,
  Fits<flat.Line, Line>,
  Fits<GeneralCode, flat.GeneralCode>,
  Fits<flat.GeneralCode, GeneralCode>,
];
`;
function writeTypes(): void {
  const folder = join(ROOT, "dist");
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, "types.ts"), flatTypes());
  writeFileSync(join(folder, "agreement.ts"), AGREEMENT);
}

if (process.argv[1] === import.meta.filename) {
  if (process.argv[2] === "types") writeTypes();
  else packingStep(process.argv[2], ROOT, build);
}
