/**
 * A counter that costs two or three look-ups a count. prom-client makes a text of the labels at each count, which at some
 * thousand counts a second is a few percent of a core; so counts are kept beside it, and handed over when it is read.
 */
import { Counter, type CounterConfiguration, type LabelValues } from "prom-client";

export type TalliedCounter<Label extends string> = {
  readonly inc: (labels: LabelValues<Label>, count?: number) => void;
  readonly get: Counter<Label>["get"];
};

type Tally<Label extends string> = { readonly labels: LabelValues<Label>; count: number; isHandedOver: boolean };
/** The values of one label, the next label below each; the last one's hold the tallies. */
type Level<Label extends string> = {
  readonly below: Map<string | number | undefined, Level<Label>>;
  tally: Tally<Label> | null;
};

const levelOf = <Label extends string>(): Level<Label> => ({ below: new Map(), tally: null });

export const createTalliedCounter = <Label extends string>(
  config: Pick<CounterConfiguration<Label>, "name" | "help" | "registers"> & { readonly labelNames: readonly Label[] },
): TalliedCounter<Label> => {
  const first = levelOf<Label>();
  const tallies: Tally<Label>[] = [];
  const counter = new Counter<Label>({
    ...config,
    collect() {
      for (const tally of tallies) {
        // A count of nothing shows as 0, once.
        if (tally.count > 0 || !tally.isHandedOver) this.inc(tally.labels, tally.count);
        tally.count = 0;
        tally.isHandedOver = true;
      }
    },
  });

  const tallyOf = (labels: LabelValues<Label>): Tally<Label> => {
    let level = first;
    for (const name of config.labelNames) {
      const value = labels[name];
      const known = level.below.get(value);
      if (known) level = known;
      else {
        const next = levelOf<Label>();
        level.below.set(value, next);
        level = next;
      }
    }
    if (level.tally === null) {
      level.tally = { labels: { ...labels }, count: 0, isHandedOver: false };
      tallies.push(level.tally);
    }
    return level.tally;
  };

  return {
    inc(labels, count = 1) {
      if (!(count >= 0 && count < Number.POSITIVE_INFINITY)) throw new Error(`${config.name} cannot be counted up by ${count}`);
      tallyOf(labels).count += count;
    },
    get: () => counter.get(),
  };
};
