/** The codec against its specification (the library, then zod), for every declared message and by both constructions. */
import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { Packr } from "msgpackr";
import { type Codec, createCodec } from "../../protocols/codec.ts";
import { LiveDetection } from "../../protocols/detection.ts";
import type { Tagged } from "../../protocols/message.ts";
import { seededRandom } from "../../runtime/random.ts";
import {
  compareDecode,
  compareEncode,
  compareRead,
  inputsPerCase,
  runCase,
  type Subject,
  subjectsOf,
} from "../../tools/fuzz-codec/compare.ts";
import { declared } from "../../tools/fuzz-codec/declared.ts";
import { messageSample, texts } from "../../tools/fuzz-codec/sample.ts";
import { runs } from "../support/runs.ts";

const subjects = subjectsOf(declared.values());
const seed = fc.nat(0x7fff_ffff);
const inputs = runs(20_000);

test(`${inputs} harmed, unfit and hostile inputs get the verdict of zod over the library, and none makes it throw`, () => {
  const found = Array.from({ length: inputs / inputsPerCase }, (_, index) => runCase(subjects, index)).find(
    (each) => each !== null,
  );
  expect(found).toBeUndefined();
}, 60_000);

describe.each([...declared.keys()].map((name, index) => [name, subjects[index]] as const))("%s", (_name, subject) => {
  if (!subject) throw new Error("every declared message is a subject");
  const { definition, form, codecs } = subject;
  const message = seed.map((each) => messageSample(form, seededRandom(each), texts));
  const packr = new Packr({ useRecords: false, int64AsType: "number" });

  test("what is encoded is read and decoded as itself", () => {
    fc.assert(
      fc.property(message, (sample) => {
        for (const codec of codecs) {
          const bytes = codec.encode(sample);
          expect(codec.decode(definition.type, bytes)).toEqual(sample);
          expect(codec.read(definition.type, bytes)).toEqual({
            ok: true,
            message: { ...definition.schema.parse(sample), type: definition.type },
          });
        }
      }),
      { numRuns: 30 },
    );
  });

  test("a second implementation writes and reads the same", () => {
    fc.assert(
      fc.property(message, ({ type, ...fields }) => {
        for (const codec of codecs) {
          expect(packr.unpack(codec.encode({ type, ...fields }))).toEqual(fields);
          expect(codec.decode(type, new Uint8Array(packr.pack(fields)))).toEqual({ type, ...fields });
        }
      }),
      { numRuns: 30 },
    );
  });
});

test("fields of any kind beside the declared ones travel as the library writes them", () => {
  const live = subjects.find(({ definition }) => definition === LiveDetection);
  if (!live) throw new Error("LiveDetection is a subject");
  const others = fc.dictionary(
    fc.string().filter((key) => key !== "__proto__"), // the library writes it and does not read it
    fc.anything({ withDate: true, maxDepth: 3 }),
    { maxKeys: 4, noNullPrototype: true },
  );
  fc.assert(
    fc.property(seed, others, (each, added) => {
      const message: Tagged = { ...messageSample(live.form, seededRandom(each)), ...added, type: "detection_result" };
      for (const codec of live.codecs) expect(compareEncode(codec, message)).toBeNull();
    }),
    { numRuns: 200 },
  );
});

describe("a codec with a planted fault is found out", () => {
  const sound = createCodec([LiveDetection]);
  const faulty: Readonly<Record<string, Partial<Codec>>> = {
    "accepts what does not fit": { read: (type, bytes) => ({ ok: true, message: sound.decode(type, bytes) }) },
    "throws on what is cut off": { read: (type, bytes) => ({ ok: true, message: sound.decode(type, bytes.subarray(1)) }) },
    "loses a field": { encode: ({ type }) => sound.encode({ type }) },
    "keeps no unknown field": {
      decode(type, bytes) {
        const read = sound.read(type, bytes);
        return read.ok ? read.message : sound.decode(type, bytes);
      },
    },
    "hands out its buffer": { encode: (message) => new Uint8Array(2_000_000).subarray(0, sound.encode(message).length) },
  };
  const [live] = subjectsOf([LiveDetection]);

  test.each(Object.entries(faulty))("%s", (_fault, parts) => {
    if (!live) throw new Error("LiveDetection is a subject");
    const planted: Subject = { ...live, codecs: [{ ...sound, ...parts }] };
    const found = Array.from({ length: 200 }, (_, index) => runCase([planted], index)).some((each) => each !== null);
    expect(found).toBeTrue();
    const silent = Array.from({ length: 20 }, (_, index) => runCase([{ ...live, codecs: [sound] }], index)).every(
      (each) => each === null,
    );
    expect(silent).toBeTrue();
  });
});

test("comparisons themselves tell right from wrong", () => {
  const codec = createCodec([LiveDetection]);
  const bytes = new Uint8Array([0x81, 0xa1, 0x61, 0x01]);
  expect(compareRead(codec, LiveDetection, bytes)).toBeNull();
  expect(compareDecode(codec, "detection_result", bytes)).toBeNull();
  const lying: Codec = { ...codec, decode: (type) => ({ type }) };
  expect(compareDecode(lying, "detection_result", bytes)).not.toBeNull();
});
