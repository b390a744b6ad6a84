/** The most for which something holds, where more is harder: by doubling until it does not, then by halving the interval. */
export const mostThatHold = async (holds: (count: number) => Promise<boolean>, max: number): Promise<number> => {
  let [most, least] = [0, max + 1];
  for (let count = 1; least > max && count > most; count = Math.min(max, count * 2)) {
    if (await holds(count)) most = count;
    else least = count;
  }
  while (least - most > 1 && most < max) {
    const middle = Math.floor((most + least) / 2);
    if (await holds(middle)) most = middle;
    else least = middle;
  }
  return most;
};
