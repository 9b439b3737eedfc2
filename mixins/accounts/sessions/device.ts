// The device of a session, as its owner calls it: `Firefox on Linux`. The header says far more, and half of it is not
// true; a person needs just enough to tell their own devices apart. Nothing is decided by it.
import { limits } from "../limits.ts";

/** The first that matches: a browser's header names all those that it descends from. */
const BROWSERS: readonly [RegExp, string][] = [
  [/\bEdgA?(?:iOS)?\//, "Edge"],
  [/\bOPR\//, "Opera"],
  [/\bSamsungBrowser\//, "Samsung Internet"],
  [/\b(?:Firefox|FxiOS)\//, "Firefox"],
  [/\b(?:Chrome|CriOS|HeadlessChrome)\//, "Chrome"],
  [/\bVersion\/.*\bSafari\//, "Safari"],
];
const SYSTEMS: readonly [RegExp, string][] = [
  [/\biPhone\b/, "iPhone"],
  [/\biPad\b/, "iPad"],
  [/\bAndroid\b/, "Android"],
  [/\bCrOS\b/, "ChromeOS"],
  [/\bWindows\b/, "Windows"],
  [/\bMac(?:intosh| OS X)\b/, "macOS"],
  [/\bLinux\b/, "Linux"],
];

/** The device of a `User-Agent` header, at most 60 characters: of a program its name, `curl`. */
export function deviceOf(userAgent: string | undefined): string {
  const text = (userAgent ?? "").slice(0, limits.userAgentCharsMax);
  const [browser, system] = [BROWSERS, SYSTEMS].map(list => list.find(([pattern]) => pattern.test(text))?.[1]);
  const program = /^[\w.-]+/.exec(text)?.[0].slice(0, limits.deviceCharsMax);
  const name = browser ?? (program === "Mozilla" ? "A browser" : program) ?? "An unknown device";
  return browser !== undefined && system !== undefined ? `${name} on ${system}` : name;
}
