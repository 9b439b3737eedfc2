// What a key opens above the screen: the field that finds anything by its name or id, and the list of the keys.
import { useSignal } from "@preact/signals";
import { useLocation } from "preact-iso";
import { Combobox, Dialog, Failure, useResource, type Choice } from "../../kit/index.ts";
import type { AnswerOf } from "../../../client/index.ts";
import { api } from "../console.ts";
import { screens } from "../screens.ts";
import { addressOf } from "./address.ts";
import { LISTS, placesFor } from "./finds.ts";
import { opened } from "./keys.tsx";

const close = (): void => void (opened.value = undefined);

export default function Above({ what }: { readonly what: "find" | "keys" }) {
  return what === "find" ? <Find /> : <KeyList />;
}

const PLACES = [...screens.flatMap(({ label, path }) => (label === undefined ? [] : [{ label, path }])), ...LISTS];
type Hits = AnswerOf<typeof api.ops.search>["hits"];
/** Letters from which ids are looked for: fewer name too many. */
const ID_MIN = 3;
/** Milliseconds after the last key. */
const TYPED_MS = 200;

function Find() {
  const text = useSignal("");
  const asked = useSignal("");
  const typing = useSignal<ReturnType<typeof setTimeout> | undefined>(undefined);
  const { route } = useLocation();
  const found = useResource<Hits>(
    asked.value,
    async signal => (asked.value.length < ID_MIN ? [] : (await api.ops.search({ q: asked.value }, { signal })).hits),
    { keeps: true },
  );
  const type = (typed: string): void => {
    text.value = typed;
    clearTimeout(typing.peek());
    typing.value = setTimeout(() => (asked.value = typed.trim()), TYPED_MS);
  };
  const hits = (asked.value === text.value.trim() ? (found.data ?? []) : []).flatMap(
    ({ kind, title, look }): Choice[] => {
      const address = addressOf(look);
      return address === undefined
        ? []
        : [{ value: address, label: title.startsWith(kind) ? title : `${kind} ${title}` }];
    },
  );
  const choices = [...placesFor(text.value, PLACES).map(({ label, path }) => ({ label, value: path })), ...hits];
  return (
    <Dialog title="Find" open onClose={close}>
      <div class="find">
        <Combobox
          label="A screen, or an id or the beginning of one"
          value={text.value}
          choices={choices}
          onInput={type}
          onChoose={({ value }) => {
            close();
            route(value);
          }}
        />
        {found.error && <Failure error={found.error} />}
        <p class="soft small" role="status">
          {text.value.trim().length >= ID_MIN && choices.length === 0 && !found.isLoading
            ? "Nothing has this name or id."
            : "Arrows choose, Enter opens, Escape closes."}
        </p>
      </div>
    </Dialog>
  );
}

const KEYS = [
  ["Ctrl K, or ⌘ K", "Find a screen, an order, a saga, anything by its id"],
  ["?", "Show the keys"],
  ["Tab", "Go to the next link, button or field; with Shift to the one before"],
  ["Enter", "Follow the link, or press the button"],
  ["Escape", "Close what is open, without doing it"],
] as const;

const KeyList = () => (
  <Dialog title="Keys" open onClose={close}>
    <dl class="keys">
      {KEYS.map(([key, does]) => (
        <div key={key}>
          <dt>
            <kbd>{key}</kbd>
          </dt>
          <dd>{does}</dd>
        </div>
      ))}
    </dl>
    <footer>
      <button type="button" class="button" onClick={close}>
        Close
      </button>
    </footer>
  </Dialog>
);
