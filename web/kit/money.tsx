// Amounts are integers in minor units.
import { LANGUAGE } from "./language.ts";

interface Amount {
  readonly amount: number;
  readonly currency: string;
}

const formats = new Map<string, Intl.NumberFormat>();
function formatOf(currency: string): Intl.NumberFormat {
  let format = formats.get(currency);
  if (!format) formats.set(currency, (format = new Intl.NumberFormat(LANGUAGE, { style: "currency", currency })));
  return format;
}

/** The amount as the language of the page writes it: `€18.00`. */
export function moneyText({ amount, currency }: Amount): string {
  const format = formatOf(currency);
  return format.format(amount / 10 ** (format.resolvedOptions().maximumFractionDigits ?? 2));
}

export const Money = (money: Amount) => <span class="number">{moneyText(money)}</span>;
