/** A server of one file on this machine, as good or as bad as a test asks for. */
import { serve } from "./support.ts";

/** How one request is answered. */
export interface Behaviour {
  /** The file at this time. */
  readonly body: Uint8Array<ArrayBuffer>;
  /** Its version by ETag. */
  readonly etag?: string;
  /** Its version by date. */
  readonly lastModified?: string;
  /** Sends the whole file whatever is asked for. */
  readonly hasNoRanges?: boolean;
  /** Sends the rest even where `If-Range` names another version. */
  readonly ignoresIfRange?: boolean;
  /** Bytes after which the connection breaks. */
  readonly cutAfter?: number;
  /** Bytes after which nothing more is sent. */
  readonly stallAfter?: number;
}

/** Answers as RFC 9110 says where the behaviour does not say otherwise. */
function answer(request: Request, behaviour: Behaviour): Response {
  const { body, etag, lastModified, hasNoRanges, ignoresIfRange } = behaviour;
  const headers = new Headers();
  if (etag !== undefined) headers.set("etag", etag);
  if (lastModified !== undefined) headers.set("last-modified", lastModified);
  const [, from] = /^bytes=(\d+)-$/.exec(request.headers.get("range") ?? "") ?? [];
  const ifRange = request.headers.get("if-range");
  const isSame = ifRange === null || ignoresIfRange || [etag, lastModified].includes(ifRange);
  const start = from !== undefined && isSame && !hasNoRanges ? Number(from) : undefined;
  if (start !== undefined && start >= body.length) {
    headers.set("content-range", `bytes */${body.length}`);
    return new Response(null, { status: 416, headers });
  }
  if (start !== undefined) {
    headers.set("content-range", `bytes ${start}-${body.length - 1}/${body.length}`);
  }
  const sent = body.subarray(start ?? 0);
  headers.set("content-length", `${sent.length}`);
  return new Response(streamOf(sent, behaviour), {
    status: start === undefined ? 200 : 206,
    headers,
  });
}

function streamOf(bytes: Uint8Array<ArrayBuffer>, { cutAfter, stallAfter }: Behaviour) {
  let at = 0;
  return new ReadableStream<Uint8Array<ArrayBuffer>>({
    async pull(out) {
      if (stallAfter !== undefined && at >= stallAfter) return await new Promise(() => {});
      if (cutAfter !== undefined && at >= cutAfter) return out.close();
      if (at === bytes.length) return out.close();
      const end = Math.min(bytes.length, at + 10_000, cutAfter ?? Infinity, stallAfter ?? Infinity);
      out.enqueue(bytes.subarray(at, end));
      at = end;
    },
  });
}

/** Serves one file; requests are kept, and the n-th is answered by what `behave` says of n. */
export function serveFile(
  behave: (n: number) => Behaviour,
): AsyncDisposable & { readonly url: string; readonly requests: readonly Headers[] } {
  const requests: Headers[] = [];
  const server = serve((request) => {
    requests.push(request.headers);
    return answer(request, behave(requests.length - 1));
  });
  const url = `${server.url}/f.bin`;
  return { url, requests, [Symbol.asyncDispose]: () => server[Symbol.asyncDispose]() };
}
