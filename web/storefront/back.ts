// Where one was before a sign-in, and goes back to after it.

/** A path of ours. Anybody can write the query of a link, so another host is not gone to. */
export function pathBack(given: string | undefined): string {
  return given !== undefined && /^\/(?![/\\])[^\s\\]*$/.test(given) && !isEntrance(given) ? given : "/";
}

/** The page that signs in and then leads back to `url`; from an entrance, to where that leads back to. */
export const signInAt = (url: string): string => entrance("/sign-in", url);
export const registerAt = (url: string): string => entrance("/register", url);

function entrance(path: string, url: string): string {
  const back = isEntrance(url) ? new URLSearchParams(url.split("?")[1]).get("back") : url;
  const to = pathBack(back ?? undefined);
  return to === "/" ? path : `${path}?${new URLSearchParams({ back: to })}`;
}
const isEntrance = (path: string): boolean => /^\/(sign-in|register)(?![\w-])/.test(path);
