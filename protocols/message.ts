/**
 * A message is declared once, as a value: from it come its type, its validator, its codec, its AsyncAPI entry,
 * its fuzz generator and its golden bytes.
 */
import { z } from "zod";

export type Tagged = { readonly type: string };

/** Marks a field whose value is raw bytes. On the wire it is a MessagePack `bin`, in JSON it is base64. */
export const Bytes = z
  .custom<Uint8Array>((value) => value instanceof Uint8Array, { message: "expected bytes" })
  .meta({ id: "Bytes", format: "binary" });

export type MessageDefinition<Type extends string = string, Shape extends z.ZodRawShape = z.ZodRawShape> = {
  readonly type: Type;
  readonly doc: string;
  /** The fields without `type`: just what is on the wire. */
  readonly schema: z.ZodObject<Shape>;
};

/** The TypeScript type of a message: its fields, tagged. */
export type Infer<Definition> =
  Definition extends MessageDefinition<infer Type, infer Shape>
    ? { readonly type: Type } & Readonly<z.infer<z.ZodObject<Shape>>>
    : never;

/** Readers tolerate unknown fields, so the schema is loose about keys that it does not know and strict about those it does. */
export const message = <const Type extends string, const Shape extends z.ZodRawShape>(
  type: Type,
  doc: string,
  shape: Shape,
): MessageDefinition<Type, Shape> => ({ type, doc, schema: z.object(shape) });
