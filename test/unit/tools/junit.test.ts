import { expect, test } from "bun:test";
import { readJunit, sumTallies } from "../../../tools/junit.ts";

const report = `<?xml version="1.0"?>
<testsuites name="bun test" tests="4">
  <testsuite name="a.test.ts">
    <testcase name="adds &quot;one&quot; &amp; more" classname="sums" file="test/a.test.ts" />
    <testcase name="fails" classname="" file="test/a.test.ts"><failure type="AssertionError" message="x &gt; y"/></testcase>
    <testcase name="waits for a broker &gt; really" classname="kafka" file="test/a.test.ts">
      <skipped />
    </testcase>
  </testsuite>
  <testcase name="breaks" classname="" file="test/b.test.ts"><error message="boom"></error></testcase>
</testsuites>`;

test("counts what passed and failed, and names what was skipped", () => {
  expect(readJunit(report)).toEqual({ passed: 1, failed: 2, skipped: ["test/a.test.ts: kafka > waits for a broker > really"] });
});

test("an empty report has nothing", () => {
  expect(readJunit("<testsuites/>")).toEqual({ passed: 0, failed: 0, skipped: [] });
});

test("tallies add up", () => {
  const one = { passed: 1, failed: 2, skipped: ["a"] };
  expect(sumTallies([one, one])).toEqual({ passed: 2, failed: 4, skipped: ["a", "a"] });
  expect(sumTallies([])).toEqual({ passed: 0, failed: 0, skipped: [] });
});
