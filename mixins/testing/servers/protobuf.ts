// Reads messages in protobuf's wire format by the numbers of their fields, without their schema.

type Value = bigint | Buffer;

export interface Fields {
  has(field: number): boolean;
  text(field: number): string;
  hex(field: number): string;
  integer(field: number): bigint;
  number(field: number): number;
  double(field: number): number;
  messages(field: number): Fields[];
}

/** The fields of one message. Throws RangeError when it is cut off. */
export function fieldsOf(bytes: Buffer): Fields {
  const values = new Map<number, Value[]>();
  let at = 0;
  const varint = (): bigint => {
    for (let value = 0n, shift = 0n; ; shift += 7n) {
      const byte = bytes.readUInt8(at++);
      value |= BigInt(byte & 0x7f) << shift;
      if (byte < 0x80) return value;
    }
  };
  const take = (length: number): Buffer => {
    if (at + length > bytes.length) throw new RangeError("the message is cut off");
    return bytes.subarray(at, (at += length));
  };
  while (at < bytes.length) {
    const key = Number(varint());
    const value = valueOf(key & 7, varint, take);
    const known = values.get(key >> 3);
    if (known) known.push(value);
    else values.set(key >> 3, [value]);
  }
  const last = (field: number): Value | undefined => values.get(field)?.at(-1);
  const buffer = (field: number): Buffer => (last(field) as Buffer | undefined) ?? Buffer.alloc(0);
  const integer = (field: number): bigint => {
    const value = last(field) ?? 0n;
    if (typeof value === "bigint") return value;
    return value.length === 8 ? value.readBigUInt64LE() : BigInt(value.readUInt32LE());
  };
  return {
    has: field => values.has(field),
    text: field => buffer(field).toString(),
    hex: field => buffer(field).toString("hex"),
    integer,
    number: field => Number(integer(field)),
    double: field => buffer(field).readDoubleLE(),
    messages: field => (values.get(field) ?? []).map(value => fieldsOf(value as Buffer)),
  };
}

function valueOf(wireType: number, varint: () => bigint, take: (length: number) => Buffer): Value {
  switch (wireType) {
    case 0:
      return varint();
    case 1:
      return take(8);
    case 2:
      return take(Number(varint()));
    case 5:
      return take(4);
    default:
      throw new RangeError(`no wire type ${wireType}`);
  }
}
