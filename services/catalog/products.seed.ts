// The products of a first start: 8 categories, each with 5 designs in 3 variants. A SKU is a position in these tables
// (`MUG-004` = second design, first variant), so new designs go to the end of a category.
import type { NewProduct } from "./product.ts";

/** Name of the variant, what it adds to the description, and minor units on top of the design's price. */
type Variant = readonly [name: string, description: string, surcharge: number];
/** Name, description, and price in minor units. */
type Design = readonly [name: string, description: string, price: number];
interface Category {
  readonly category: string;
  readonly prefix: string;
  readonly variants: readonly [Variant, Variant, Variant];
  readonly designs: readonly [Design, Design, Design, Design, Design];
}

const CURRENCY = "EUR";

const shelves: readonly Category[] = [
  {
    category: "mugs",
    prefix: "MUG",
    variants: [
      ["Oat", "Matt oat glaze.", 0],
      ["Slate", "Deep grey glaze with a dark foot.", 0],
      ["Ochre", "Warm ochre glaze, fired twice.", 200],
    ],
    designs: [
      ["Harbour Mug", "Wheel-thrown stoneware with a wide handle, 300 ml.", 1800],
      ["Espresso Cup", "Small, thick-walled cup that keeps its heat, 80 ml.", 1200],
      ["Camp Mug", "Enamelled steel with a rolled rim, 350 ml.", 1500],
      ["Breakfast Bowl", "Deep bowl for porridge, soup or a generous café au lait, 500 ml.", 2200],
      ["Travel Cup", "Double-walled porcelain with a cork sleeve and lid, 400 ml.", 2900],
    ],
  },
  {
    category: "coffee",
    prefix: "COF",
    variants: [
      ["250 g", "Whole beans, 250 g.", 0],
      ["500 g", "Whole beans, 500 g.", 850],
      ["1 kg", "Whole beans, 1 kg.", 2400],
    ],
    designs: [
      ["Morning Blend", "Milk chocolate and hazelnut; forgiving in any machine.", 950],
      ["Yirgacheffe", "Washed Ethiopian coffee with bergamot and peach.", 1350],
      ["Huehuetenango", "Guatemalan highland coffee: cocoa, orange peel, a long finish.", 1250],
      ["Night Shift Decaf", "Decaffeinated with mountain water; caramel and plum.", 1150],
      ["Old Port Espresso", "Dark roast with a fifth of robusta for a thick crema.", 1050],
    ],
  },
  {
    category: "tea",
    prefix: "TEA",
    variants: [
      ["Pouch", "Loose leaf in a refill pouch, 100 g.", 0],
      ["Tin", "Loose leaf in an airtight tin, 100 g.", 350],
      ["Sampler", "Twelve pyramid bags.", -250],
    ],
    designs: [
      ["Breakfast Assam", "Malty second-flush leaf that takes milk well.", 890],
      ["Sencha", "Steamed Japanese green tea, grassy and sweet.", 1290],
      ["Smoked Pine", "Lapsang souchong over pinewood; a campfire in a cup.", 1090],
      ["Garden Mint", "Peppermint, spearmint and a little lemon balm.", 690],
      ["Rooibos Orange", "South African rooibos with orange and vanilla.", 750],
    ],
  },
  {
    category: "notebooks",
    prefix: "NTB",
    variants: [
      ["Plain", "Plain pages.", 0],
      ["Ruled", "Pages ruled at 7 mm.", 0],
      ["Dotted", "Pages with a 5 mm dot grid.", 0],
    ],
    designs: [
      ["Pocket Notebook", "A6, 64 stitched pages, cover of kraft card.", 490],
      ["Field Journal", "A5, 160 pages, water-resistant cover and an elastic.", 1690],
      ["Lay-flat Notebook", "A5, 192 pages of 100 g paper that stays open.", 1990],
      ["Desk Pad", "A4, 60 tear-off sheets on a stiff board.", 1290],
      ["Linen Sketchbook", "A4 landscape, 96 pages of 150 g paper, linen cover.", 2890],
    ],
  },
  {
    category: "desk",
    prefix: "DSK",
    variants: [
      ["Oak", "Oiled European oak.", 0],
      ["Walnut", "Oiled American walnut.", 1200],
      ["Black Ash", "Stained and waxed ash.", 600],
    ],
    designs: [
      ["Pen Tray", "Milled from one piece, felt underneath.", 2400],
      ["Monitor Stand", "Lifts a screen by 11 cm, holds up to 20 kg.", 6900],
      ["Bookends", "A pair, weighted with steel.", 3900],
      ["Card Holder", "Keeps a hundred index cards upright.", 1900],
      ["Letter Tray", "A4, stackable, with a rounded front.", 4500],
    ],
  },
  {
    category: "lamps",
    prefix: "LMP",
    variants: [
      ["Brass", "Brushed brass, left to darken.", 1500],
      ["White", "Powder-coated in warm white.", 0],
      ["Forest", "Powder-coated in forest green.", 0],
    ],
    designs: [
      ["Reading Lamp", "Jointed arm, dimmer in the base, 2700 K.", 8900],
      ["Clip Lamp", "Clips to a shelf up to 4 cm thick; USB-C.", 4900],
      ["Table Lantern", "Rechargeable, 12 hours on low, for the balcony too.", 6900],
      ["Wall Light", "Throws its light up and down; switch on the cable.", 7900],
      ["Floor Lamp", "Slim upright of 150 cm with a weighted foot.", 15900],
    ],
  },
  {
    category: "textiles",
    prefix: "TEX",
    variants: [
      ["Natural", "Undyed.", 0],
      ["Indigo", "Dyed with indigo.", 700],
      ["Rust", "Dyed with madder.", 700],
    ],
    designs: [
      ["Wool Blanket", "Lambswool, 130 by 180 cm, fringed.", 11900],
      ["Linen Towel", "Washed linen, 50 by 70 cm; dries in an hour.", 1900],
      ["Cushion Cover", "Heavy cotton with a hidden zip, 50 by 50 cm.", 2900],
      ["Table Runner", "Linen, 45 by 150 cm, mitred corners.", 3400],
      ["Bath Sheet", "Organic cotton waffle, 100 by 150 cm.", 4400],
    ],
  },
  {
    category: "bags",
    prefix: "BAG",
    variants: [
      ["Sand", "Sand-coloured canvas.", 0],
      ["Olive", "Olive canvas.", 0],
      ["Black", "Black canvas, waxed.", 900],
    ],
    designs: [
      ["Market Tote", "Long handles, flat bottom, carries 15 kg.", 2400],
      ["Rolltop Backpack", "18 litres, padded sleeve for a 15-inch laptop.", 8900],
      ["Messenger Bag", "12 litres, magnetic buckle, side pocket for a bottle.", 7900],
      ["Weekender", "35 litres, leather handles, separate shoe compartment.", 12900],
      ["Zip Pouch", "For chargers, pencils or a passport.", 1600],
    ],
  },
];

const number = (n: number): string => String(n).padStart(3, "0");

/** 120 products with valid, unique SKUs; the same on every start. */
export const seedProducts: readonly NewProduct[] = shelves.flatMap(({ category, prefix, variants, designs }) =>
  designs.flatMap(([name, description, price], design) =>
    variants.map(([variant, detail, surcharge], index) => ({
      sku: `${prefix}-${number(design * variants.length + index + 1)}`,
      name: `${name}, ${variant}`,
      description: `${description} ${detail}`,
      price: { amount: price + surcharge, currency: CURRENCY },
      category,
    })),
  ),
);
