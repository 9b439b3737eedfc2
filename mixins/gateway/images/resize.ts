// Makes images smaller, by sharp: libvips on the threads of the pool, off the event loop. The package is optional; without it
// originals are given as they are.
import { imageLimits as limits } from "./image-limits.ts";
import type { Original } from "./original.ts";

export const FORMATS = ["avif", "webp", "jpg"] as const;
export type Format = (typeof FORMATS)[number];

/** Rejects with the reason when the original is damaged, has too many pixels, or takes too long. */
export type Resize = (original: Original, width: number, format: Format) => Promise<Original>;

/** Undefined without the package. */
export async function loadResize(): Promise<Resize | undefined> {
  try {
    const { default: sharp } = await import("sharp");
    // One thread for one image, and no image kept: ours is the cache, and other work needs the threads.
    sharp.concurrency(1);
    sharp.cache(false);
    // No loader but those of the types that are taken, whatever a file says it is.
    sharp.block({ operation: ["VipsForeignLoad"] });
    sharp.unblock({ operation: ["Jpeg", "Png", "Webp", "Heif", "Nsgif"].map(name => `VipsForeignLoad${name}`) });
    return async ({ bytes }, width, format) => {
      const image = sharp(bytes, { limitInputPixels: limits.pixelsMax, failOn: "error", pages: 1 })
        .timeout({ seconds: limits.resizeSeconds })
        // As its camera was held; all else that the camera has written, the place among it, is left out.
        .autoOrient()
        .resize({ width, withoutEnlargement: true });
      if (format === "avif")
        return { bytes: await image.avif({ quality: 50, effort: 2 }).toBuffer(), type: "image/avif" };
      if (format === "webp") return { bytes: await image.webp({ quality: 75 }).toBuffer(), type: "image/webp" };
      const opaque = image.flatten({ background: "#fff" });
      return { bytes: await opaque.jpeg({ quality: 78, progressive: true }).toBuffer(), type: "image/jpeg" };
    };
  } catch {
    return undefined;
  }
}
