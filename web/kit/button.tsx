import type { ButtonHTMLAttributes, ComponentChildren, HTMLAttributes } from "preact";

type Kind = "primary" | "plain" | "quiet" | "danger";
interface Look {
  /** The one thing to do is `primary`; what cannot be taken back is `danger`. Default `plain`. */
  readonly kind?: Kind | undefined;
  readonly size?: "small" | "usual" | undefined;
  /** As high as wide, for an icon; it needs `aria-label`. */
  readonly square?: boolean | undefined;
  readonly full?: boolean | undefined;
  readonly children?: ComponentChildren | undefined;
}

const classOf = ({ kind = "plain", size, square, full }: Look): string =>
  ["button", kind, size === "small" && "small", square && "square", full && "full"].filter(Boolean).join(" ");

/**
 * A button names verb and object. `busy`: its call is under way; it keeps the focus, says so, and takes no second click.
 */
export function Button({
  kind,
  size,
  square,
  full,
  busy = false,
  onClick,
  children,
  ...rest
}: Look & { readonly busy?: boolean } & Omit<ButtonHTMLAttributes<HTMLButtonElement>, "size">) {
  return (
    <button
      type="button"
      {...rest}
      class={classOf({ kind, size, square, full })}
      aria-busy={busy}
      aria-disabled={busy}
      onClick={event => {
        if (busy) event.preventDefault();
        else onClick?.(event);
      }}
    >
      {children}
    </button>
  );
}

/** A link that looks like a button: it leads somewhere and changes nothing. */
export function ButtonLink({
  kind,
  size,
  square,
  full,
  children,
  ...rest
}: Look & { readonly href: string } & Omit<HTMLAttributes<HTMLAnchorElement>, "size" | "role">) {
  return (
    <a {...rest} class={classOf({ kind, size, square, full })}>
      {children}
    </a>
  );
}
