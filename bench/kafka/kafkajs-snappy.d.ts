declare module "kafkajs-snappy" {
  /** Pure JavaScript; compresses and decompresses what kafkajs hands it. */
  const createCodec: () => {
    readonly compress: (encoder: { readonly buffer: Buffer }) => Promise<Buffer>;
    readonly decompress: (buffer: Buffer) => Promise<Buffer>;
  };
  export default createCodec;
}
