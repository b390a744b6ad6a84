import { expect, test } from "bun:test";
import { createDeferral } from "../../../../actors/camera/deferral.ts";

/** One letter a packet: K is a key frame, p is not; capital answers are `now`. Wanted is every `period`th packet. */
const answers = (packets: string, period: number, pts: (index: number) => bigint | null = (index) => BigInt(index)): string => {
  const deferral = createDeferral();
  return [...packets]
    .map((packet, index) =>
      deferral.take({ isKey: packet === "K", pts: pts(index) }, index % period === 0) === "now" ? "N" : "l",
    )
    .join("");
};

const never = 1_000;

test.each([
  ["nothing waits until the distance of key frames is known", "KppKppKpp", never, "NNNllllll"],
  ["what is wanted is decoded at once", "KppKppKppKpp", 2, "NNNlNlNlNlNl"],
  ["pictures that are key frames each", "KKKKKK", 3, "NllNll"],
  ["a stream that begins in the middle", "ppKppKpp", never, "NNNNNlll"],
  ["key frames that are rare: nothing waits", `K${"p".repeat(20)}K${"p".repeat(5)}`, never, "N".repeat(27)],
  ["key frames that stay out: what waits is bounded", `KppK${"p".repeat(20)}`, never, `NNN${"l".repeat(16)}${"N".repeat(5)}`],
])("%s", (_says, packets, period, expected) => {
  expect(answers(packets, period)).toBe(expected);
});

test("pictures out of order never wait, nor do those without a time", () => {
  const shuffled = [0n, 3n, 1n, 2n, 6n, 4n, 5n, 9n, 7n];
  expect(answers("KppKppKpp", never, (index) => shuffled[index] ?? null)).toBe("N".repeat(9));
  expect(answers("KppKppKpp", never, () => null)).toBe("N".repeat(9));
  expect(answers("KppKppKpp", never, (index) => (index === 0 ? null : BigInt(index)))).toBe("NNNllllll");
});
