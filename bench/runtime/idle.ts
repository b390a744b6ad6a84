/**
 * A process of its own that holds very many idle actors and says what each takes: what others left behind does not count.
 * Arguments: runtime, actors, and whether each hears one message first.
 */
import { heapStats } from "bun:jsc";
import { crowds } from "./crowd.ts";

const heapBytes = (): number => {
  Bun.gc(true);
  return heapStats().heapSize;
};

const [name = "", actors = "0", told = ""] = process.argv.slice(2);
const open = crowds.find((crowd) => crowd.name === name)?.open;
if (!open) throw new Error(`there is no runtime ${name}`);
const few = await open(10); // what is made once is not the actors'
await few.tellAll();
const [heapBefore, rssBefore] = [heapBytes(), process.memoryUsage.rss()];
const crowd = await open(Number(actors));
if (told === "told") await crowd.tellAll();
const [heap, rss] = [heapBytes() - heapBefore, process.memoryUsage.rss() - rssBefore];
process.stdout.write(JSON.stringify({ heapBytes: heap / Number(actors), rssBytes: rss / Number(actors) }));
process.exit(0);
