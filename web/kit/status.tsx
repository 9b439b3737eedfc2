// A state as word, shape and colour: colour alone tells some people nothing.
import type { ComponentChildren } from "preact";
import type { Tone } from "./tone.ts";

const SHAPES: Readonly<Record<Tone, string>> = {
  good: "M6 0a6 6 0 1 1 0 12A6 6 0 0 1 6 0z",
  warn: "M6 0l6 11.500H0z",
  bad: "M3.5 0h5L12 3.500v5L8.5 12h-5L0 8.500v-5z",
  busy: "M6 0l6 6-6 6-6-6z",
  idle: "M6 0a6 6 0 1 1 0 12A6 6 0 0 1 6 0zm0 2.500a3.5 3.5 0 1 0 0 7 3.5 3.5 0 0 0 0-7z",
};

export const Status = ({ tone, children }: { readonly tone: Tone; readonly children: ComponentChildren }) => (
  <span class={`status ${tone}`}>
    <svg viewBox="0 0 12 12" aria-hidden="true">
      <path fill-rule="evenodd" d={SHAPES[tone]} />
    </svg>
    {children}
  </span>
);
