// Bounds of images, with unit and reason.
export const imageLimits = {
  /** Widths in pixels that are made: any other would let a stranger fill the memory, and the caches before it. */
  widths: [160, 320, 480, 640, 960, 1_280],
  /** Bytes of an original: a photograph of a camera has 8 MB. */
  originalBytesMax: 10 * 1_024 * 1_024,
  /** Pixels of an original: a file of 100 kB can unfold to gigabytes. */
  pixelsMax: 50_000_000,
  /** Milliseconds in which an original has to arrive. */
  fetchMs: 5_000,
  /** Seconds that one may take to be made smaller, on a thread of the pool. */
  resizeSeconds: 10,
  /** Images that are made at once: half of the four threads that look-ups of names and files need as well. */
  atOnce: 2,
  /** Further ones that wait; beyond these a client is asked to come again. */
  waitingMax: 64,
  /** Milliseconds for which an original that could not be had is not asked for again. */
  failedMs: 60_000,
  /** Originals that are remembered so. */
  failedMax: 1_000,
  /** Milliseconds for the answer to what an image is of. */
  askMs: 5_000,
} as const;
