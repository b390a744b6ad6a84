/** A link behaves as a network that fails: refuses, holds back and delivers later, or swallows. */
import { afterEach, expect, test } from "bun:test";
import { connect, createServer, type Socket } from "node:net";
import { type Link, openLink } from "../../../../bench/chaos/link.ts";
import { within } from "../../../support/wait.ts";

const ends: (() => void)[] = [];
afterEach(() => {
  for (const end of ends.splice(0)) end();
});

/** A server that keeps what it hears and echoes it. */
const setUp = async () => {
  const heard: string[] = [];
  const server = createServer((socket) => {
    socket.on("error", () => {});
    socket.on("data", (chunk) => {
      heard.push(chunk.toString());
      socket.write(chunk);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  const port = typeof address === "object" && address ? address.port : 0;
  const link = await openLink(() => `127.0.0.1:${port}`);
  ends.push(link.close, () => server.close());
  return { link, heard };
};

const dial = ({ address }: Link) => {
  const answers: string[] = [];
  let end: "open" | "closed" | "connecting" = "connecting";
  const socket: Socket = connect({ host: "127.0.0.1", port: Number(address.split(":")[1]) });
  socket.on("connect", () => {
    end = "open";
  });
  socket.on("data", (chunk) => answers.push(chunk.toString()));
  socket.on("error", () => {});
  socket.on("close", () => {
    end = "closed";
  });
  ends.push(() => socket.destroy());
  return { socket, answers, state: () => end };
};

test("passes both ways", async () => {
  const { link } = await setUp();
  const caller = dial(link);
  caller.socket.write("hello");
  await within(20_000, "the echo", () => caller.answers.join("") === "hello");
});

test("refused: connections end and further ones are refused, until it is healed on the same port", async () => {
  const { link } = await setUp();
  const caller = dial(link);
  await within(20_000, "a connection", () => caller.state() === "open");
  link.cut("refused");
  await within(20_000, "its end", () => caller.state() === "closed");
  const second = dial(link);
  await within(20_000, "a refusal", () => second.state() === "closed");
  await link.heal();
  const third = dial(link);
  third.socket.write("again");
  await within(20_000, "the echo", () => third.answers.join("") === "again");
});

test("frozen: what was sent meanwhile arrives later, even from a caller that is gone", async () => {
  const { link, heard } = await setUp();
  const [stays, goes] = [dial(link), dial(link)];
  stays.socket.write("a");
  goes.socket.write("b");
  await within(20_000, "both echoes", () => stays.answers.length + goes.answers.length === 2);
  link.cut("frozen");
  stays.socket.write("c");
  goes.socket.end("d");
  const late = dial(link);
  late.socket.write("e");
  await within(20_000, "a connection that hangs", () => late.state() === "open");
  expect(heard.toSorted()).toEqual(["a", "b"]);
  await link.heal();
  await within(20_000, "all of it", () => heard.length === 5 && stays.answers.length === 2 && late.answers.length === 1);
  expect(heard.toSorted()).toEqual(["a", "b", "c", "d", "e"]);
});

test("swallowed: what was sent meanwhile is lost, and so are the connections", async () => {
  const { link, heard } = await setUp();
  const caller = dial(link);
  caller.socket.write("a");
  await within(20_000, "the echo", () => caller.answers.length === 1);
  link.cut("swallowed");
  caller.socket.write("b");
  const late = dial(link);
  late.socket.write("c");
  await within(20_000, "a connection that hangs", () => late.state() === "open");
  await link.heal();
  await within(20_000, "their ends", () => caller.state() === "closed" && late.state() === "closed");
  expect(heard).toEqual(["a"]);
});
