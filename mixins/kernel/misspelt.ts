// Names that are slips of the pen for a declared variable. A misspelt variable is no variable: a start would take the
// default in silence, and put a service's data where nobody looks for it.
//
// An environment also holds names of other programs, which must stop no start. So a name counts as a slip only if another
// program is unlikely to have it:
//
//   PORTT, REDIS_URLL    a letter is doubled
//   SERIVCES, NODIED     neighbouring letters are exchanged, in names of six letters or more
//   METRIC_TOKEN         one letter is missing, added or another one, in a word of five letters or more that is neither the
//                        only one nor the last; the word keeps its first letter
//
// The last word tells the kind of a variable: DATABASE_URI, ADMIN_EMAILS and REQUEST_TIMEOUT_S are other variables. So are
// most neighbours of a single word (LOG_LEVEL, SERVICE, SPEED), and names with a digit more (REDIS2_URL).

/** The declared name that was meant; undefined when `name` is none of ours. */
export const meantName = (name: string, declared: readonly string[]): string | undefined =>
  declared.find(one => isDoubled(name, one) || isExchanged(name, one) || isOtherWord(name, one));

function isDoubled(name: string, meant: string): boolean {
  if (name.length !== meant.length + 1) return false;
  const at = firstDifference(name, meant);
  return /[A-Z]/.test(name[at]!) && name[at] === name[at - 1] && name.slice(at + 1) === meant.slice(at);
}

const isExchanged = (name: string, meant: string): boolean => meant.length >= 6 && isTransposed(name, meant);

/** Whether two neighbouring letters are exchanged, and nothing else is. */
function isTransposed(name: string, meant: string): boolean {
  if (name.length !== meant.length) return false;
  const at = firstDifference(name, meant);
  const exchanged = meant.slice(0, at) + (meant[at + 1] ?? "") + (meant[at] ?? "") + meant.slice(at + 2);
  return at < meant.length && name === exchanged;
}

function isOtherWord(name: string, meant: string): boolean {
  const [words, ours] = [name.split("_"), meant.split("_")];
  if (words.length !== ours.length || words.at(-1) !== ours.at(-1)) return false;
  const others = ours.flatMap((word, i) => (word === words[i] ? [] : [i]));
  if (others.length !== 1) return false;
  const [word, other] = [ours[others[0]!]!, words[others[0]!]!];
  return word.length >= 5 && /^[A-Z]+$/.test(other) && word[0] === other[0] && distance(word, other) === 1;
}

function firstDifference(a: string, b: string): number {
  let at = 0;
  while (at < a.length && a[at] === b[at]) at++;
  return at;
}

/**
 * The service's prefix that was meant by the one in `BOKOINGS_DATABASE_URL`: one letter more, less or other in five, two in
 * six or more. Variables of other tools (`TEST_DATABASE_URL`) are none of ours, and short names have too many neighbours
 * (`APP`, `API`).
 */
export function meantPrefix(prefix: string, known: readonly string[]): string | undefined {
  const slips = (name: string): number => (name.length < 4 ? 0 : name.length < 6 ? 1 : 2);
  return known.find(name => distance(prefix, name) <= slips(name));
}

/**
 * The name that was meant by a word which a person typed: one that begins with it or that it begins with, else the nearest, with
 * one letter more, less or other or two neighbours exchanged, or two slips in a word of six or more; undefined when none is near.
 */
export function nearestName(word: string, known: readonly string[]): string | undefined {
  const begins = known.find(name => word.length > 1 && (name.startsWith(word) || word.startsWith(name)));
  if (begins !== undefined) return begins;
  const far = known
    .map(name => ({ name, slips: isTransposed(word, name) ? 1 : distance(word, name) }))
    .sort((a, b) => a.slips - b.slips);
  const [nearest] = far;
  return nearest && nearest.slips <= (word.length < 6 ? 1 : 2) ? nearest.name : undefined;
}

/** Letters to insert, remove or replace: Levenshtein's distance. */
function distance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, i) => i);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++)
      next.push(Math.min(row[j]! + 1, next[j - 1]! + 1, row[j - 1]! + (a[i - 1] === b[j - 1] ? 0 : 1)));
    row = next;
  }
  return row[b.length]!;
}
