// The size of a packet. The bus decides: its server takes no larger one, and a committed event must be carried later.

/**
 * Bytes of a packet, where no bus says otherwise: NATS's default. A start refuses a server that carries less.
 */
export const PAYLOAD_BYTES = 1_048_576;

/** Bytes of the largest packet that this broker's bus carries. A service may move to a bus later: so there is always one. */
export function payloadBytesMax(broker: object): number {
  const { transit } = broker as { transit?: { tx?: { payloadBytesMax?: number } } };
  return transit?.tx?.payloadBytesMax ?? PAYLOAD_BYTES;
}

/** Bytes of an item that shares a packet with others: an event with its envelope in a page of the log, an answer. */
export const contentBytesMax = (broker: object): number => Math.floor(payloadBytesMax(broker) / 2);

/** Bytes of a text as it is sent. To count them costs as much as to read it, so a short one is not counted. */
export const isLonger = (text: string, bytes: number): boolean =>
  text.length * 3 > bytes && Buffer.byteLength(text) > bytes;
