/** How often a property is tried: a quarter of it where `npm test -- --fast` or `npm run check` asks, all of it otherwise. */
export const runs = (all: number): number => (process.env.FAST_TESTS === undefined ? all : Math.ceil(all / 4));
