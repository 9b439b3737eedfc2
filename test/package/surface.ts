// The public surface of the packed runtime, door by door, as API Extractor reports it
// (https://api-extractor.com/pages/overview/demo_api_report/): a change of it is seen in a diff of these reports.
import { join } from "node:path";
import { CompilerState, Extractor, ExtractorConfig } from "@microsoft/api-extractor";

/** Where the reports lie. */
export const REPORTS = join(import.meta.dirname, "../../mixins/api");
const RUNTIME = join(import.meta.dirname, "../../mixins");

/** The name of a door's report: `./actor/mixin` is in `actor-mixin.api.md`. */
export const reportOf = (door: string): string => `${door.replace("./", "").replaceAll("/", "-")}.api.md`;

/** A door, as the packed manifest's `exports` names it, and the file of its declarations below the built package. */
export interface Door {
  readonly door: string;
  readonly types: string;
}

/**
 * Reads the declarations of all doors in the built package `built`, once: a program of its own for each door took a
 * minute of processor time. The function that it answers compares what one door exports with its report, or writes the
 * report with `update`, and answers whether they differed; reports are written to `scratch` first.
 */
export function surfaceOf(
  doors: readonly Door[],
  built: string,
  scratch: string,
): (door: Door, update: boolean) => boolean {
  const entries = doors.map(({ types }) => join(built, types));
  const configs = new Map(doors.map(door => [door.door, configOf(door, entries, built, scratch)]));
  const compilerState = CompilerState.create([...configs.values()][0]!, { additionalEntryPoints: entries });
  return ({ door }, update) =>
    Extractor.invoke(configs.get(door)!, {
      compilerState,
      localBuild: update,
      messageCallback: message => void (message.handled = true),
    }).apiReportChanged;
}

function configOf({ door, types }: Door, entries: readonly string[], built: string, scratch: string): ExtractorConfig {
  const silent = { default: { logLevel: "none" } } as const;
  return ExtractorConfig.prepare({
    configObject: {
      projectFolder: RUNTIME,
      newlineKind: "lf",
      mainEntryPointFilePath: join(built, types),
      compiler: {
        overrideTsconfig: {
          compilerOptions: {
            module: "nodenext",
            target: "esnext",
            lib: ["esnext"],
            types: ["node"],
            strict: true,
            exactOptionalPropertyTypes: true,
            skipLibCheck: true,
          },
          files: entries,
        },
      },
      apiReport: { enabled: true, reportFolder: REPORTS, reportTempFolder: scratch, reportFileName: reportOf(door) },
      docModel: { enabled: false },
      dtsRollup: { enabled: false },
      tsdocMetadata: { enabled: false },
      messages: { extractorMessageReporting: silent, compilerMessageReporting: silent, tsdocMessageReporting: silent },
    },
    configObjectFullPath: undefined,
    packageJsonFullPath: join(RUNTIME, "package.json"),
  } as never);
}
