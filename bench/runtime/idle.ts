/**
 * A process of its own that holds very many idle actors and says what each takes: what others left behind does not count.
 * Arguments: runtime, actors, and whether each hears one message first.
 */
import { heapStats } from "bun:jsc";
import { crowds } from "./crowd.ts";

/** What the start of the actors left to be done by promises is done first. */
const settled = async (): Promise<void> => {
  for (let turn = 0; turn < 10; turn++) await new Promise((resolve) => setImmediate(resolve));
};

const heapBytes = async (): Promise<number> => {
  await settled();
  Bun.gc(true);
  return heapStats().heapSize;
};

const [name = "", actors = "0", told = ""] = process.argv.slice(2);
const open = crowds.find((crowd) => crowd.name === name)?.open;
if (!open) throw new Error(`there is no runtime ${name}`);
const few = await open(10); // what is made once is not the actors'
await few.tellAll();
const [heapBefore, rssBefore] = [await heapBytes(), process.memoryUsage.rss()];
const crowd = await open(Number(actors));
if (told === "told") await crowd.tellAll();
const [heap, rss] = [(await heapBytes()) - heapBefore, process.memoryUsage.rss() - rssBefore];
await crowd.tellAll(); // all were there while they were counted: what nobody would use again is collected
process.stdout.write(JSON.stringify({ heapBytes: heap / Number(actors), rssBytes: rss / Number(actors) }));
process.exit(0);
