import { expect, test } from "@jest/globals";
import { deviceOf } from "./device.ts";

const MOZILLA = "Mozilla/5.0";
test.each([
  [`${MOZILLA} (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0`, "Firefox on Linux"],
  [
    `${MOZILLA} (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 Chrome/126.0 Safari/537.36 Edg/126.0`,
    "Edge on Windows",
  ],
  [`${MOZILLA} (Linux; Android 14; Pixel 8) AppleWebKit/537.36 Chrome/126.0 Mobile Safari/537.36`, "Chrome on Android"],
  [`${MOZILLA} (iPhone; CPU iPhone OS 17_5 like Mac OS X) Version/17.5 Mobile Safari/604.1`, "Safari on iPhone"],
  [`${MOZILLA} (Macintosh; Intel Mac OS X 10_15_7) Version/17.5 Safari/605.1.15`, "Safari on macOS"],
  [`${MOZILLA} (X11; CrOS x86_64) AppleWebKit/537.36 Chrome/126.0 Safari/537.36`, "Chrome on ChromeOS"],
  ["curl/8.5.0", "curl"],
  ["okhttp/4.12", "okhttp"],
  [`${MOZILLA} (compatible)`, "A browser"],
  ["<script>alert(1)</script>", "An unknown device"],
  ["", "An unknown device"],
  [undefined, "An unknown device"],
  ["x".repeat(100_000), "x".repeat(60)],
])("%.60s is %s", (userAgent, device) => expect(deviceOf(userAgent)).toBe(device));
