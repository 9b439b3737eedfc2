import { useId } from "preact/hooks";
import type { ComponentChildren, InputHTMLAttributes, SelectHTMLAttributes, TextareaHTMLAttributes } from "preact";

interface Labelled {
  readonly label: string;
  /** What to type, if the label does not say it. */
  readonly hint?: ComponentChildren | undefined;
  /** Why the value was refused, as a sentence. */
  readonly error?: string | undefined;
}
/** A line of text with its label, a hint and what is wrong with it. */
export function Field({ label, hint, error, ...rest }: Labelled & InputHTMLAttributes<HTMLInputElement>) {
  const { id, described } = useIds(hint, error);
  return (
    <Frame {...{ id, label, hint, error }}>
      <input class="input" id={id} aria-invalid={error !== undefined} aria-describedby={described} {...rest} />
    </Frame>
  );
}

export function TextArea({ label, hint, error, ...rest }: Labelled & TextareaHTMLAttributes<HTMLTextAreaElement>) {
  const { id, described } = useIds(hint, error);
  return (
    <Frame {...{ id, label, hint, error }}>
      <textarea class="input" id={id} aria-invalid={error !== undefined} aria-describedby={described} {...rest} />
    </Frame>
  );
}

export function Select({ label, hint, error, children, ...rest }: Labelled & SelectHTMLAttributes<HTMLSelectElement>) {
  const { id, described } = useIds(hint, error);
  return (
    <Frame {...{ id, label, hint, error }}>
      <select class="input" id={id} aria-invalid={error !== undefined} aria-describedby={described} {...rest}>
        {children}
      </select>
    </Frame>
  );
}

export const Check = ({
  label,
  ...rest
}: { readonly label: string } & Pick<
  InputHTMLAttributes<HTMLInputElement>,
  "name" | "checked" | "disabled" | "onChange"
>) => (
  <label class="check">
    <input type="checkbox" {...rest} /> {label}
  </label>
);

const useIds = (hint: unknown, error: unknown): { id: string; described: string | undefined } => {
  const id = useId();
  const described = [hint && `${id}-hint`, error !== undefined && `${id}-wrong`].filter(Boolean).join(" ");
  return { id, described: described || undefined };
};

function Frame({
  id,
  label,
  hint,
  error,
  children,
}: Labelled & { readonly id: string; readonly children: ComponentChildren }) {
  return (
    <div class="field">
      <label for={id}>{label}</label>
      {children}
      {hint && (
        <span class="hint" id={`${id}-hint`}>
          {hint}
        </span>
      )}
      {error !== undefined && (
        <span class="wrong" id={`${id}-wrong`}>
          {error}
        </span>
      )}
    </div>
  );
}
