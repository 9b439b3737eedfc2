// FNV-1a, 32 bits: spreads short names evenly over few buckets or nodes. Not for secrets.
// Source: Fowler, Noll, Vo, http://www.isthe.com/chongo/tech/comp/fnv/. It takes UTF-16 units where the original takes
// bytes; the buckets of stored streams depend on that, so neither the units nor the constants may ever change.

const OFFSET_BASIS = 0x811c9dc5;
const PRIME = 0x01000193;

/**
 * The hash of a text, with the hash of another text as `basis` that of both in a row. Its 32 bits are a signed number,
 * which the engine passes on without boxing it; `>>> 0` makes it unsigned.
 */
export function fnv1a(text: string, basis: number = OFFSET_BASIS): number {
  let hash = basis | 0;
  for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), PRIME);
  return hash;
}
