// The dialog of an operation that changes something: what it does and to what, a note for the next operator, and what came of it.
import { useSignal } from "@preact/signals";
import type { ComponentChildren } from "preact";
import { Button, Dialog, Failure, TextArea } from "../../kit/index.ts";

export interface Act {
  /** Verb and object: `Retry this saga`. */
  readonly title: string;
  /** What it does, and what it does not. */
  readonly says: ComponentChildren;
  readonly button: string;
  readonly kind?: "primary" | "danger";
  /** Whether the operation keeps a note. Default true. */
  readonly wantsNote?: boolean;
  /** Throws ProblemError. */
  readonly run: (note: string) => Promise<void>;
}

/** As long as the API takes one. */
const NOTE_MAX = 500;

/** `act`: undefined when nothing is asked. */
export function ActDialog({ act, onClose }: { readonly act: Act | undefined; readonly onClose: () => void }) {
  const note = useSignal("");
  const failure = useSignal<Error | undefined>(undefined);
  const isBusy = useSignal(false);
  const isMissing = useSignal(false);
  const close = (): void => {
    failure.value = undefined;
    isMissing.value = false;
    onClose();
  };
  if (!act) return null;
  const { title, says, button, kind = "primary", wantsNote = true, run } = act;
  const submit = async (event: Event): Promise<void> => {
    event.preventDefault();
    isMissing.value = wantsNote && note.value.trim() === "";
    if (isBusy.value || isMissing.value) return;
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
        {failure.value && <Failure error={failure.value} />}
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
