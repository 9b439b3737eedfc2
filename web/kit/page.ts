import { useEffect, useRef } from "preact/hooks";

let isFirst = true;

export const titleText = (title: string, application = "Valence"): string =>
  title ? `${title} · ${application}` : application;

/**
 * Names the page in the tab and, at a change of the page, puts the focus on its heading, so that a screen reader says where one is.
 * Returns the ref for the `h1`, which needs `tabIndex={-1}`. A heading that comes later, with the data, gets the focus when it is
 * there, unless a person has moved it meanwhile.
 */
export function usePage(title: string, application = "Valence") {
  const heading = useRef<HTMLHeadingElement>(null);
  const wantsFocus = useRef(false);
  useEffect(() => void (document.title = titleText(title, application)), [title, application]);
  useEffect(() => {
    // The browser itself says the first page.
    if (isFirst) return void (isFirst = false);
    wantsFocus.current = true;
    // What had the focus may be gone with the last page, or stay as a link of the frame.
    (document.activeElement as HTMLElement | null)?.blur();
    scrollTo(0, 0);
  }, []);
  useEffect(() => {
    if (!wantsFocus.current || heading.current === null) return;
    wantsFocus.current = false;
    if (document.activeElement === document.body) heading.current.focus({ preventScroll: true });
  });
  return heading;
}
