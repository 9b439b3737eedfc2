import type { Product } from "../api.ts";

/** Tones of the placeholders. */
const TONES = 6;
const toneOf = (text: string): number =>
  text.split("").reduce((sum, letter) => (sum * 31 + letter.charCodeAt(0)) % 997, 7) % TONES;

/** Drawings by category; anything else is a box. */
const DRAWINGS: Readonly<Record<string, string>> = {
  mugs: "M30 34h34v26a12 12 0 0 1-12 12H42a12 12 0 0 1-12-12zM64 40h6a8 8 0 0 1 0 18h-6",
  coffee: "M34 30h32v44H34zM34 40h32M40 24h20v6H40zM44 56a6 8 0 1 0 12 0 6 8 0 0 0-12 0M50 48v16",
  tea: "M30 46h40a20 20 0 0 1-40 0zM36 76h28M50 46V30h12v8h-12",
  notebooks: "M34 26h32v48H34zM40 26v48M46 38h14M46 46h14",
  desk: "M34 66l4-12 24-24 8 8-24 24zM56 36l8 8",
  textiles: "M30 32h40v36H30zM30 42h40M40 32v36M50 32v36M60 32v36",
  lamps: "M38 26h24l8 22H30zM50 48v24M38 74h24",
  bags: "M30 42h40l3 32H27zM40 42v-6a10 10 0 0 1 20 0v6",
};
const BOX = "M30 40l20-10 20 10v24L50 74 30 64zM30 40l20 10 20-10M50 50v24";

/** Widths that the shop makes of a picture, in pixels. */
const WIDTHS = [160, 320, 480, 640, 960, 1_280];
const sourcesOf = (id: string, format: string): string =>
  WIDTHS.map(width => `/images/${id}/${width}.${format} ${width}w`).join(", ");

/**
 * The picture of a product; a drawing where it has none. It says nothing that the name beside it does not. `sizes`: its width on the
 * page, for the browser's choice.
 */
export function Picture({
  product: { id, image, sku, category },
  sizes = "(max-width: 480px) 45vw, 14rem",
  isFirst = false,
}: {
  readonly product: Pick<Product, "id" | "image" | "sku" | "category">;
  readonly sizes?: string | undefined;
  /** It is what the page is about: loaded at once. */
  readonly isFirst?: boolean | undefined;
}) {
  if (image !== undefined)
    return (
      <picture class={`picture tone-${toneOf(sku)}`}>
        <source type="image/avif" srcSet={sourcesOf(id, "avif")} sizes={sizes} />
        <source type="image/webp" srcSet={sourcesOf(id, "webp")} sizes={sizes} />
        <img
          src={`/images/${id}/640.jpg`}
          alt=""
          loading={isFirst ? "eager" : "lazy"}
          decoding="async"
          width="600"
          height="600"
        />
      </picture>
    );
  return (
    <div class={`picture tone-${toneOf(sku)}`}>
      <svg viewBox="0 0 100 100" aria-hidden="true">
        <path d={DRAWINGS[category] ?? BOX} />
      </svg>
    </div>
  );
}
