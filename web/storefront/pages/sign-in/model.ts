/** Where one was before: a path of ours. Anybody can write the query of a link, so another host is not gone to. */
export function pathBack(given: string | undefined): string {
  return given !== undefined && /^\/(?![/\\])[^\s\\]*$/.test(given) && !given.startsWith("/sign-in") ? given : "/";
}
