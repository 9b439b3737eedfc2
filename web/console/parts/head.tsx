// The head of a screen: its name, when it was read, and what can be done on it.
import type { ComponentChildren } from "preact";
import { Button, Time, usePage } from "../../kit/index.ts";

export function Head({
  title,
  of,
  children,
}: {
  readonly title: string;
  /** What the screen shows. */
  readonly of?: { readonly asOf: string | undefined; readonly isLoading: boolean; readonly reload: () => void };
  readonly children?: ComponentChildren;
}) {
  const heading = usePage(title, "Console");
  return (
    <div class="row ends baseline">
      <h1 ref={heading} tabIndex={-1}>
        {title}
      </h1>
      <div class="row">
        {of?.asOf !== undefined && (
          <span class="soft small">
            Read <Time at={of.asOf} />
          </span>
        )}
        {of && (
          <Button size="small" busy={of.isLoading} onClick={of.reload}>
            Read again
          </Button>
        )}
        {children}
      </div>
    </div>
  );
}
