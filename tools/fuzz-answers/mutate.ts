/** Harms an answer as networks, limits, careless models and hostile hands do. */
import { type Random, randomInt } from "../../runtime/random.ts";

const pieces = [
  ..."{ } [ ] \" ' : , \\ ； ， ： “ ” 、 % ． - . 0 1 9 2".split(" "),
  ..."null None true false NaN 1e999 -1 0.9 85% 0,4 \\u \\ud83d \ud800 \u0000 \u202e \n \t".split(" "),
  ...'``` ```json ~~~ <think> </think> // /* */ <|im_end|> __proto__ ... {} [] "" ,, :: }{ ][ },{'.split(" "),
  ..."riskLevel verdict confidence results groupIndex hazards description high medium confirmed uncertain maybe".split(" "),
];

const pick = <Item>(random: Random, items: readonly Item[], otherwise: Item): Item =>
  items[randomInt(random, items.length)] ?? otherwise;

type Change = (text: string, at: number, random: Random) => string;
const changes: readonly Change[] = [
  (text, at, random) => text.slice(0, at) + text.slice(at + 1 + randomInt(random, 12)),
  (text, at, random) => text.slice(0, at) + pick(random, pieces, "") + text.slice(at),
  (text, at, random) => text.slice(0, at) + pick(random, pieces, "") + text.slice(at + 1 + randomInt(random, 6)),
  (text, at, random) => text.slice(0, at + randomInt(random, 40)) + text.slice(at),
  (text, at) => text.slice(0, at),
  (text, at) => text.slice(at),
  (text, at, random) => text.slice(0, at) + String.fromCharCode(randomInt(random, 0x1_00)) + text.slice(at + 1),
  (text, at, random) => text.slice(0, at) + text.slice(at + 1 + randomInt(random, text.length)),
  (text, at, random) => {
    const other = randomInt(random, text.length + 1);
    return text.slice(0, at) + text.slice(other, other + randomInt(random, 60)) + text.slice(at);
  },
  (text) => JSON.stringify(text),
  (text) => text.toUpperCase(),
];

/** Cuts, doublings and foreign pieces, one to six of them. */
export const harm = (text: string, random: Random): string => {
  let harmed = text;
  for (let left = 1 + randomInt(random, 6); left > 0; left--)
    harmed = pick(random, changes, (same) => same)(harmed, randomInt(random, harmed.length + 1), random);
  return harmed;
};
