import { useEffect, useId, useRef } from "preact/hooks";
import type { ComponentChildren } from "preact";

/**
 * The browser's own dialog: it keeps the focus inside, and gives it back. Escape and a click beside it close it. `children` end with a
 * `footer` of buttons.
 */
export function Dialog({
  title,
  open,
  onClose,
  children,
}: {
  readonly title: string;
  readonly open: boolean;
  readonly onClose: () => void;
  readonly children: ComponentChildren;
}) {
  const dialog = useRef<HTMLDialogElement>(null);
  const id = useId();
  useEffect(() => {
    if (open) dialog.current?.showModal();
    else dialog.current?.close();
  }, [open]);
  useEffect(() => {
    const element = dialog.current!;
    // The padding is inside: a click on the dialog itself is one on its backdrop.
    const close = ({ target }: MouseEvent): void => {
      if (target === element) element.close();
    };
    element.addEventListener("click", close);
    return () => element.removeEventListener("click", close);
  }, []);
  return (
    <dialog class="dialog" ref={dialog} aria-labelledby={id} onClose={onClose}>
      {open && (
        <div class="stack">
          <h2 id={id}>{title}</h2>
          {children}
        </div>
      )}
    </dialog>
  );
}
