import { constants, createDeflate, createInflate, type Deflate, type Inflate } from "node:zlib";

const words: readonly string[] = [
  "options,head,post,put,delete,trace,accept,accept-charset,accept-encoding,accept-language,accept-ranges,age,allow",
  "authorization,cache-control,connection,content-base,content-encoding,content-language,content-length",
  "content-location,content-md5,content-range,content-type,date,etag,expect,expires,from,host,if-match",
  "if-modified-since,if-none-match,if-range,if-unmodified-since,last-modified,location,max-forwards,pragma",
  "proxy-authenticate,proxy-authorization,range,referer,retry-after,server,te,trailer,transfer-encoding,upgrade",
  "user-agent,vary,via,warning,www-authenticate,method,get,status,200 OK,version,HTTP/1.1,url,public,set-cookie",
  "keep-alive,origin",
];
const tail =
  "100101201202205206300302303304305306307402405406407408409410411412413414415416417502504505" +
  "203 Non-Authoritative Information204 No Content301 Moved Permanently400 Bad Request401 Unauthorized" +
  "403 Forbidden404 Not Found500 Internal Server Error501 Not Implemented503 Service Unavailable" +
  "Jan Feb Mar Apr May Jun Jul Aug Sept Oct Nov Dec 00:00:00 Mon, Tue, Wed, Thu, Fri, Sat, Sun, GMT" +
  "chunked,text/html,image/png,image/jpg,image/gif,application/xml,application/xhtml+xml,text/plain," +
  "text/javascript,publicprivatemax-age=gzip,deflate,sdchcharset=utf-8charset=iso-8859-1,utf-,*,enq=0.";

/** What both sides' compressors begin with (SPDY/3, section 2.6.10.1): words with their lengths, then text. */
export function headerDictionary(): Buffer {
  return Buffer.concat([...words.join(",").split(",").map(lengthPrefixed), Buffer.from(tail, "latin1")]);
}

/** Headers of a stream; names in lower case. */
export type SpdyHeaders = ReadonlyMap<string, string>;

const maxHeaderBytes = 64 * 1024;

/** Compresses and expands header blocks. Both directions are one stream each for the whole session, so order matters. */
export class HeaderCodec {
  readonly #inflate: Inflate;
  readonly #deflate: Deflate;

  constructor() {
    const dictionary = headerDictionary();
    this.#inflate = createInflate({ dictionary, flush: constants.Z_SYNC_FLUSH });
    this.#deflate = createDeflate({ dictionary, flush: constants.Z_SYNC_FLUSH });
  }

  async decode(block: Buffer): Promise<SpdyHeaders> {
    const plain = await pass(this.#inflate, block);
    const headers = new Map<string, string>();
    let at = 4;
    const text = (): string => {
      const length = plain.readUInt32BE(at);
      if (at + 4 + length > plain.length) throw new RangeError("a SPDY header ends early");
      const value = plain.toString("latin1", at + 4, at + 4 + length);
      at += 4 + length;
      return value;
    };
    for (let left = plain.readUInt32BE(0); left > 0; left--) headers.set(text().toLowerCase(), text());
    return headers;
  }

  encode(headers: SpdyHeaders): Promise<Buffer> {
    const count = Buffer.alloc(4);
    count.writeUInt32BE(headers.size);
    const pairs = [...headers].flatMap(([name, value]) => [lengthPrefixed(name), lengthPrefixed(value)]);
    return pass(this.#deflate, Buffer.concat([count, ...pairs]));
  }

  close(): void {
    this.#inflate.destroy();
    this.#deflate.destroy();
  }
}

function lengthPrefixed(text: string): Buffer {
  const bytes = Buffer.from(text, "latin1");
  const length = Buffer.alloc(4);
  length.writeUInt32BE(bytes.length);
  return Buffer.concat([length, bytes]);
}

/** One block through the compressor; resolves with all that came of it. */
function pass(through: Inflate | Deflate, block: Buffer): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    let size = 0;
    const take = (chunk: Buffer): void => {
      chunks.push(chunk);
      size += chunk.length;
      if (size > maxHeaderBytes) done(new RangeError("a SPDY header block is too large"));
    };
    const done = (error?: Error | null): void => {
      through.off("data", take);
      through.off("error", done);
      if (error) reject(error);
      else resolve(Buffer.concat(chunks));
    };
    through.on("data", take);
    through.once("error", done);
    // The callback comes when the block is digested; its last output may come a turn later.
    through.write(block, (error) => (error ? done(error) : setImmediate(done)));
  });
}
