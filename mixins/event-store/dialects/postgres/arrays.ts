// Arrays as Postgres takes them in binary (src/backend/utils/adt/arrayfuncs.c, array_recv): number of dimensions, whether
// there are nulls, the elements' type, length and lower bound, then each element with its length before it. As text the
// quotes of JSON would be escaped here and taken out again there.
const TEXT = 25;
const INT2 = 21;
const INT4 = 23;
const HEADER_BYTES = 20;

export function textArray(items: readonly (string | null)[]): Buffer {
  let bytes = HEADER_BYTES;
  let hasNull = false;
  for (const item of items) {
    bytes += 4;
    if (item === null) hasNull = true;
    else bytes += Buffer.byteLength(item);
  }
  const buffer = header(Buffer.allocUnsafe(bytes), TEXT, items.length, hasNull);
  let at = HEADER_BYTES;
  for (const item of items) {
    const length = item === null ? -1 : buffer.write(item, at + 4);
    at = buffer.writeInt32BE(length, at) + Math.max(0, length);
  }
  return buffer;
}

export function intArray(items: readonly number[]): Buffer {
  const buffer = header(Buffer.allocUnsafe(HEADER_BYTES + items.length * 8), INT4, items.length, false);
  let at = HEADER_BYTES;
  for (const item of items) at = buffer.writeInt32BE(item, buffer.writeInt32BE(4, at));
  return buffer;
}

export function smallintArray(items: readonly number[]): Buffer {
  const buffer = header(Buffer.allocUnsafe(HEADER_BYTES + items.length * 6), INT2, items.length, false);
  let at = HEADER_BYTES;
  for (const item of items) at = buffer.writeInt16BE(item, buffer.writeInt32BE(2, at));
  return buffer;
}

function header(buffer: Buffer, type: number, length: number, hasNull: boolean): Buffer {
  buffer.writeInt32BE(1, 0);
  buffer.writeInt32BE(hasNull ? 1 : 0, 4);
  buffer.writeInt32BE(type, 8);
  buffer.writeInt32BE(length, 12);
  buffer.writeInt32BE(1, 16);
  return buffer;
}
