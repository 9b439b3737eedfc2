// The dialog of an operation that changes something: what it does and to what, a note for the next operator, and what came of it.
import { useSignal } from "@preact/signals";
import type { ComponentChildren } from "preact";
import { Button, Dialog, Failure, Field, TextArea } from "../../kit/index.ts";
import { CopyCommand } from "./copy.tsx";

export interface Act {
  /** Verb and object: `Retry this saga`. */
  readonly title: string;
  /** What it does, and what it does not. */
  readonly says: ComponentChildren;
  readonly button: string;
  readonly kind?: "primary" | "danger";
  /** Whether the operation keeps a note. Default true. */
  readonly wantsNote?: boolean;
  /** For what cannot be taken back: the name that is to be typed. */
  readonly typed?: string;
  /** The same as a command of the REPL, without the note. */
  readonly command?: string;
  /** Throws ProblemError. */
  readonly run: (note: string) => Promise<void>;
}

/** As long as the API takes one. */
const NOTE_MAX = 500;

/** In quotes, as the REPL takes it. */
const noteOf = (note: string): string => (note.trim() === "" ? "" : ` --note ${JSON.stringify(note.trim())}`);

/** `act`: undefined when nothing is asked. */
export function ActDialog({ act, onClose }: { readonly act: Act | undefined; readonly onClose: () => void }) {
  const note = useSignal("");
  const failure = useSignal<Error | undefined>(undefined);
  const isBusy = useSignal(false);
  const isMissing = useSignal(false);
  const name = useSignal("");
  const isOther = useSignal(false);
  const close = (): void => {
    failure.value = undefined;
    isMissing.value = false;
    isOther.value = false;
    name.value = "";
    onClose();
  };
  if (!act) return null;
  const { title, says, button, kind = "primary", wantsNote = true, typed, command, run } = act;
  const submit = async (event: Event): Promise<void> => {
    event.preventDefault();
    isMissing.value = wantsNote && note.value.trim() === "";
    isOther.value = typed !== undefined && name.value.trim() !== typed;
    if (isBusy.value || isMissing.value || isOther.value) return;
    isBusy.value = true;
    failure.value = undefined;
    try {
      await run(note.value.trim());
      note.value = "";
      close();
    } catch (error) {
      failure.value = error as Error;
    } finally {
      isBusy.value = false;
    }
  };
  return (
    <Dialog title={title} open onClose={close}>
      <form class="stack" onSubmit={submit}>
        <div>{says}</div>
        {wantsNote && (
          <TextArea
            label="Note"
            hint="Why? The next operator reads it, and the audit keeps it with your name."
            required
            maxLength={NOTE_MAX}
            value={note.value}
            error={isMissing.value ? "Say in a few words why." : undefined}
            onInput={({ currentTarget }) => (note.value = currentTarget.value)}
          />
        )}
        {typed !== undefined && (
          <Field
            label={`Type ${typed}`}
            hint="It cannot be taken back."
            autocomplete="off"
            value={name.value}
            error={isOther.value ? `Type ${typed}, as it stands here.` : undefined}
            onInput={({ currentTarget }) => (name.value = currentTarget.value)}
          />
        )}
        {failure.value && <Failure error={failure.value} />}
        {command !== undefined && <CopyCommand command={`${command}${noteOf(note.value)}`} />}
        <footer>
          <Button onClick={close}>Cancel</Button>
          <Button type="submit" kind={kind} busy={isBusy.value}>
            {button}
          </Button>
        </footer>
      </form>
    </Dialog>
  );
}
