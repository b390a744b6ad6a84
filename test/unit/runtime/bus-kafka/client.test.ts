import { describe, expect, test } from "bun:test";
import { addressMapping } from "../../../../runtime/bus-kafka/client.ts";

const table = [
  {
    says: "an address that is not named is dialled as it is",
    map: { "kafka:9092": "localhost:9092" },
    asked: "other:9092",
    dialled: "other:9092",
  },
  { says: "a named one is replaced", map: { "kafka:9092": "localhost:19092" }, asked: "kafka:9092", dialled: "localhost:19092" },
  {
    says: "names are the same in capitals",
    map: { "Kafka:9092": "localhost:9092" },
    asked: "KAFKA:9092",
    dialled: "localhost:9092",
  },
  {
    says: "the port is part of the address",
    map: { "kafka:9092": "localhost:9092" },
    asked: "kafka:29092",
    dialled: "kafka:29092",
  },
  {
    says: "a part of a name is not the name",
    map: { "kafka:9092": "localhost:9092" },
    asked: "kafka.example:9092",
    dialled: "kafka.example:9092",
  },
  { says: "IPv6 on both sides", map: { "[::1]:9092": "[fe80::1]:9093" }, asked: "::1 9092", dialled: "fe80::1:9093" },
];

describe("the address map", () => {
  for (const { says, map, asked, dialled } of table)
    test(says, () => {
      const [host = "", port = ""] = asked.split(/[ ]|:(?=\d+$)/);
      const to = addressMapping(map)({ host, port: Number(port) });
      expect(`${to.host}:${to.port}`).toBe(dialled);
    });
});
