/** Chromium without a window, driven by its DevTools protocol: no package is needed for that. */
import { Buffer } from "node:buffer";
import { join } from "node:path";

const names = ["chromium", "chromium-browser", "google-chrome", "chrome"];

/** The browser of this machine: `FOVEA_CHROMIUM`, or the first on the PATH; none where there is none. */
export function findChromium(): string | undefined {
  const told = Deno.env.get("FOVEA_CHROMIUM");
  const folders = (Deno.env.get("PATH") ?? "").split(Deno.build.os === "windows" ? ";" : ":");
  const paths = folders.flatMap((folder) => names.map((name) => join(folder, name)));
  return [...told ? [told] : [], ...paths].find((path) => {
    try {
      return Deno.statSync(path).isFile;
    } catch {
      return false;
    }
  });
}

type Params = Readonly<Record<string, unknown>>;
interface Message {
  readonly id?: number;
  readonly method?: string;
  readonly params?: Params;
  readonly result?: Params;
  readonly error?: { readonly message: string };
}

/** How a page is shown. */
export interface Screen {
  readonly width: number;
  readonly height: number;
  readonly isDark: boolean;
}

/** A page of a browser of its own. */
export class BrowserPage implements AsyncDisposable {
  /** Addresses the page asked for, `data:` ones left out. */
  readonly requests: string[] = [];
  /** What the console and the security policy complained of. */
  readonly complaints: string[] = [];
  readonly #answers = new Map<number, (message: Message) => void>();
  readonly #events = new Map<string, () => void>();
  #last = 0;

  private constructor(
    readonly child: Deno.ChildProcess,
    readonly socket: WebSocket,
    readonly profile: string,
  ) {
    socket.onmessage = ({ data }) => this.#hear(JSON.parse(data));
  }

  /** Starts the browser and opens an empty page. */
  static async open(program: string): Promise<BrowserPage> {
    const profile = await Deno.makeTempDir({ prefix: "fovea-test-" });
    const child = new Deno.Command(program, {
      args: [
        ...["--headless=new", "--no-sandbox", "--disable-gpu", "--no-first-run"],
        ...["--disable-background-networking", "--disable-component-update"],
        ...[`--user-data-dir=${profile}`, "--remote-debugging-port=0", "about:blank"],
      ],
      ...{ stdin: "null", stdout: "null", stderr: "piped" },
    }).spawn();
    const port = await portIn(child.stderr);
    const targets = await (await fetch(`http://127.0.0.1:${port}/json/list`)).json();
    const page = targets.find(({ type }: { type: string }) => type === "page");
    const socket = new WebSocket(page.webSocketDebuggerUrl);
    await new Promise((done, fail) => {
      socket.onopen = done;
      socket.onerror = fail;
    });
    const opened = new BrowserPage(child, socket, profile);
    for (const domain of ["Page", "Network", "Runtime", "Log"]) {
      await opened.send(`${domain}.enable`);
    }
    return opened;
  }

  /** Shows a page on a screen, and waits until it has loaded. */
  async show(url: string, { width, height, isDark }: Screen): Promise<void> {
    const mobile = width < 600;
    await this.send("Emulation.setDeviceMetricsOverride", {
      ...{ width, height, mobile, deviceScaleFactor: 1 },
    });
    await this.send("Emulation.setEmulatedMedia", {
      features: [{ name: "prefers-color-scheme", value: isDark ? "dark" : "light" }],
    });
    const loaded = new Promise<void>((done) => this.#events.set("Page.loadEventFired", done));
    await this.send("Page.navigate", { url });
    await loaded;
  }

  /** The value of an expression in the page, as JSON can carry it. */
  async evaluate<T>(expression: string): Promise<T> {
    const { result, exceptionDetails } = await this.send("Runtime.evaluate", {
      ...{ expression, returnByValue: true, awaitPromise: true },
    });
    if (exceptionDetails !== undefined) throw new Error(JSON.stringify(exceptionDetails));
    return (result as { readonly value: T }).value;
  }

  /** The whole page as a PNG. */
  async screenshot(): Promise<Uint8Array> {
    const { data } = await this.send("Page.captureScreenshot", { captureBeyondViewport: true });
    return Buffer.from(data as string, "base64");
  }

  /** Asks the browser. */
  async send(method: string, params: Params = {}): Promise<Params> {
    const id = ++this.#last;
    const answer = new Promise<Message>((done) => this.#answers.set(id, done));
    this.socket.send(JSON.stringify({ id, method, params }));
    const { result, error } = await answer;
    if (error) throw new Error(`${method}: ${error.message}`);
    return result ?? {};
  }

  #hear({ id, method, params, ...rest }: Message): void {
    if (id !== undefined) {
      this.#answers.get(id)?.(rest);
      this.#answers.delete(id);
    }
    if (method === undefined) return;
    this.#events.get(method)?.();
    if (method === "Network.requestWillBeSent") {
      const { url } = params?.request as { readonly url: string };
      if (!url.startsWith("data:")) this.requests.push(url);
    }
    const isComplaint = ["Runtime.exceptionThrown", "Runtime.consoleAPICalled", "Log.entryAdded"];
    if (isComplaint.includes(method)) this.complaints.push(JSON.stringify(params));
  }

  /** Ends the browser and removes its profile. */
  async [Symbol.asyncDispose](): Promise<void> {
    const closed = new Promise((done) => this.socket.onclose = done);
    await this.send("Browser.close").catch(() => {});
    await closed;
    await this.child.status;
    await Deno.remove(this.profile, { recursive: true }).catch(() => {});
  }
}

/** The port that Chromium says it listens at; the rest of what it says is let go by. */
async function portIn(stderr: ReadableStream<Uint8Array>): Promise<string> {
  const reader = stderr.pipeThrough(new TextDecoderStream()).getReader();
  let text = "";
  while (true) {
    const { value, done } = await reader.read();
    if (done) throw new Error(`the browser did not start: ${text}`);
    text += value;
    const port = /ws:\/\/127\.0\.0\.1:(\d+)\//.exec(text)?.[1];
    if (port === undefined) continue;
    (async () => {
      while (!(await reader.read()).done);
    })();
    return port;
  }
}
