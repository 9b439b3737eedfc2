// A drawing in place of an image: the first letters of the name on a quiet colour, the same each time.
const TONES = ["#e9e4d8", "#dfe7e2", "#e3e2ec", "#efe0dc", "#dde6ee", "#e8e8df"] as const;

export function placeholderOf(name: string): string {
  const letters = [...name.matchAll(/(?<![\p{L}\p{N}])[\p{L}\p{N}]/gu)].slice(0, 2).map(([letter]) => letter);
  const sum = Array.from(name, letter => letter.codePointAt(0)!).reduce((all, code) => (all * 31 + code) % 9_973, 7);
  return (
    '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 100 100">' +
    `<rect width="100" height="100" fill="${TONES[sum % TONES.length]}"/>` +
    '<text x="50" y="50" text-anchor="middle" dominant-baseline="central" font-family="sans-serif" font-size="34" ' +
    // Letters and digits alone: nothing of the name is markup.
    `fill="#6b6657">${letters.join("").toUpperCase()}</text></svg>`
  );
}
