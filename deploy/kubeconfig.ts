// node deploy/kubeconfig.ts <file> writes the variable KUBECONFIG_TEXT to a new file that only its owner reads, for kubectl.
import { writeFileSync } from "node:fs";
import { script } from "./run.ts";

await script(() => {
  const [file] = process.argv.slice(2);
  const { KUBECONFIG_TEXT: text } = process.env;
  if (file === undefined || !text) throw new Error("KUBECONFIG_TEXT=… node deploy/kubeconfig.ts <file>");
  writeFileSync(file, text, { mode: 0o600, flag: "wx" });
});
