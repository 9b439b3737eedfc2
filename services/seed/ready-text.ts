/** Where the services of this process listen. */
export interface Addresses {
  /** Of the gateway, if this process has it. */
  readonly api?: string | undefined;
  /** Of the payment provider, if this process has it. */
  readonly provider?: string | undefined;
}

/** First line of what a start tells. */
export const HEADING = "The shop is open.";

/** Label and text of each line that a start tells about the addresses. */
export function addressLines({ api, provider }: Addresses): [label: string, text: string][] {
  const lines: [string, string][] = [];
  if (api !== undefined)
    lines.push(["API", `${api}/api/v1`], ["described", `${api}/openapi.json`], ["health", `${api}/health/ready`]);
  if (provider !== undefined)
    lines.push(["payments", `${provider}/ledger (what was charged, by the provider's own book)`]);
  return lines;
}
