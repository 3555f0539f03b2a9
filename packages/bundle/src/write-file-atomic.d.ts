declare module 'write-file-atomic' {
  interface WriteFileAtomicOptions {
    readonly mode?: number;
    readonly encoding?: BufferEncoding;
    readonly fsync?: boolean;
  }
  interface WriteFileAtomic {
    (file: string, data: string | Uint8Array, options?: WriteFileAtomicOptions): Promise<void>;
    sync(file: string, data: string | Uint8Array, options?: WriteFileAtomicOptions): void;
  }
  const writeFileAtomic: WriteFileAtomic;
  export = writeFileAtomic;
}
