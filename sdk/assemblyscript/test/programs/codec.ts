// Reads any value and writes it again, so that the tests see what reader and writer make of bytes:
// `onRequest` answers with what it wrote as its body, `onResponse` with how many bytes `skip`
// passed over.

import { Guest, IncomingResponse, Reader, Request, Response, Writer } from "@sentinel-gateway/assemblyscript";

export class Codec extends Guest {
  onRequest(request: Request): Response | null {
    const reader = new Reader();
    const bytes = request.headers.valueAt(0);
    reader.reset(bytes.pointer, bytes.length);
    const writer = new Writer(1);
    copy(reader, writer);
    if (!reader.done) throw new Error("bytes are left");
    return new Response().body(writer.toArrayBuffer());
  }

  onResponse(response: IncomingResponse): Response | null {
    const reader = new Reader();
    const bytes = response.headers.valueAt(0);
    reader.reset(bytes.pointer, bytes.length);
    const start = reader.position;
    reader.skip();
    return new Response().body((<u32>(reader.position - start)).toString());
  }
}

function copy(reader: Reader, writer: Writer): void {
  const head = reader.peek();
  if (reader.nil()) writer.nil();
  else if (head == 0xc2 || head == 0xc3) writer.bool(reader.bool());
  else if (head == 0xca || head == 0xcb) writer.float(reader.float());
  else if (head >= 0xc4 && head <= 0xc6) {
    const length = reader.bin();
    writer.bin(reader.position - length, length);
  } else if ((head & 0xe0) == 0xa0 || (head >= 0xd9 && head <= 0xdb)) writer.str(reader.string());
  else if ((head & 0xf0) == 0x90 || head == 0xdc || head == 0xdd) {
    const count = reader.array();
    writer.array(count);
    for (let i = 0; i < count; ++i) copy(reader, writer);
  } else if ((head & 0xf0) == 0x80 || head == 0xde || head == 0xdf) {
    const count = reader.map();
    writer.map(count);
    for (let i = 0; i < count * 2; ++i) copy(reader, writer);
  } else if (head == 0xcf) writer.uint(reader.uint());
  else writer.int(reader.int());
}
