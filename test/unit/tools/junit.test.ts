import { expect, test } from "bun:test";
import { readJunit, sumTallies } from "../../../tools/junit.ts";

const report = `<?xml version="1.0"?>
<testsuites name="bun test" tests="4">
  <testsuite name="a.test.ts">
    <testcase name="adds &quot;one&quot; &amp; more" classname="sums" file="test/a.test.ts" />
    <testcase name="fails" classname="" file="test/a.test.ts"><failure type="AssertionError" message="x &gt; y"/></testcase>
    <testcase name="fails at length" classname="" file="test/a.test.ts"><failure type="Error" message="no">Error: no&#10;  at a</failure></testcase>
    <testcase name="waits for a broker &gt; really" classname="kafka" file="test/a.test.ts">
      <skipped />
    </testcase>
  </testsuite>
  <testcase name="breaks" classname="" file="test/b.test.ts"><error message="boom"></error></testcase>
</testsuites>`;

test("counts what passed, names what was skipped, and says how the others failed", () => {
  expect(readJunit(report)).toEqual({
    passed: 1,
    failures: [
      { test: "test/a.test.ts: fails", says: "x > y" },
      { test: "test/a.test.ts: fails at length", says: "Error: no\n  at a" },
      { test: "test/b.test.ts: breaks", says: "boom" },
    ],
    skipped: ["test/a.test.ts: kafka > waits for a broker > really"],
  });
});

test("an empty report has nothing", () => {
  expect(readJunit("<testsuites/>")).toEqual({ passed: 0, failures: [], skipped: [] });
});

test("tallies add up", () => {
  const failure = { test: "b", says: "no" };
  const one = { passed: 1, failures: [failure], skipped: ["a"] };
  expect(sumTallies([one, one])).toEqual({ passed: 2, failures: [failure, failure], skipped: ["a", "a"] });
  expect(sumTallies([])).toEqual({ passed: 0, failures: [], skipped: [] });
});
