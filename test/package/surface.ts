// The public surface of the packed runtime, door by door, as API Extractor reports it
// (https://api-extractor.com/pages/overview/demo_api_report/): a change of it is seen in a diff of these reports.
import { join } from "node:path";
import { Extractor, ExtractorConfig } from "@microsoft/api-extractor";

/** Where the reports lie. */
export const REPORTS = join(import.meta.dirname, "../../mixins/api");
const RUNTIME = join(import.meta.dirname, "../../mixins");

/** The name of a door's report: `./actor/mixin` is in `actor-mixin.api.md`. */
export const reportOf = (door: string): string => `${door.replace("./", "").replaceAll("/", "-")}.api.md`;

/**
 * Compares what a door exports with its report, or writes the report with `update`. `built` is the folder with the
 * package's declarations, `entry` the door's file in it. Answers whether they differed.
 */
export function surfaceDiffers(door: string, built: string, entry: string, scratch: string, update: boolean): boolean {
  const silent = { default: { logLevel: "none" } } as const;
  const config = ExtractorConfig.prepare({
    configObject: {
      projectFolder: RUNTIME,
      newlineKind: "lf",
      mainEntryPointFilePath: join(built, entry),
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
          files: [join(built, entry)],
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
  const { apiReportChanged } = Extractor.invoke(config, {
    localBuild: update,
    messageCallback: message => void (message.handled = true),
  });
  return apiReportChanged;
}
