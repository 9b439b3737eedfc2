// The colours: the system's, or the chosen ones. `theme.js` sets them before the first paint.
import { signal } from "@preact/signals";
import { isBrowser } from "./prerendered.ts";

type Theme = "system" | "light" | "dark";
const read = (): Theme => {
  if (!isBrowser) return "system";
  const { theme } = document.documentElement.dataset;
  return theme === "light" || theme === "dark" ? theme : "system";
};
const theme = signal<Theme>(read());

function choose(next: Theme): void {
  theme.value = next;
  if (next === "system") delete document.documentElement.dataset["theme"];
  else document.documentElement.dataset["theme"] = next;
  try {
    if (next === "system") localStorage.removeItem("theme");
    else localStorage.setItem("theme", next);
  } catch {
    // Refused: it holds until the page is left.
  }
}

export const ThemeSwitch = () => (
  <label class="row small">
    <span>Colours</span>
    <select class="input" value={theme.value} onChange={({ currentTarget }) => choose(currentTarget.value as Theme)}>
      <option value="system">System</option>
      <option value="light">Light</option>
      <option value="dark">Dark</option>
    </select>
  </label>
);
