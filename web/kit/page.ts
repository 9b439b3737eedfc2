import { useEffect, useRef } from "preact/hooks";

let isFirst = true;

/**
 * Names the page in the tab and, at a change of the page, puts the focus on its heading, so that a screen reader says where one is.
 * Returns the ref for the `h1`, which needs `tabIndex={-1}`.
 */
export function usePage(title: string, application = "Valence") {
  const heading = useRef<HTMLHeadingElement>(null);
  useEffect(() => void (document.title = title ? `${title} · ${application}` : application), [title, application]);
  useEffect(() => {
    // The browser itself says the first page.
    if (isFirst) return void (isFirst = false);
    heading.current?.focus({ preventScroll: true });
    scrollTo(0, 0);
  }, []);
  return heading;
}
