import { type Host, type LogLine, type Plugin, readSpec, safeText, systemClock } from '@mmm/host';
import { errorHelp, heardEvents, type Manifest, MmmError } from '@mmm/protocol';
import { formatOutput } from '../format-output.ts';
import { heardLines } from '../heard-text.ts';
import type { Io } from '../io.ts';
import { note, styler } from '../output.ts';
import { build, planBuild, showIssue } from './build.ts';
import type { CallToTry } from './first-call.ts';
import { listSources } from './source-listing.ts';
import { sourcePlaces } from './source-places.ts';

export interface CallResult {
  readonly output: unknown;
  readonly durationMs: number;
}

/**
 * One plugin under development as its author sees it: builds it, has the host run it, calls it, and says so. Status and
 * logs go to stderr, what calls return to stdout.
 */
export class DevelopmentRun {
  readonly #io: Io;
  readonly #host: Host;
  readonly #directory: string;
  readonly #style: ReturnType<typeof styler>;
  #places: (text: string) => string = (text) => text;
  #plugin: Plugin | undefined;
  #introduced = false;

  constructor(io: Io, host: Host, directory: string) {
    this.#io = io;
    this.#host = host;
    this.#directory = directory;
    this.#style = styler(io);
  }

  /** What runs now: the last build that worked. */
  get plugin(): Plugin | undefined {
    return this.#plugin;
  }

  /**
   * Builds and starts what the folder holds now. Throws why it could not; what ran before then still runs. `onPlan` is
   * told the folder the build will write, before it does: that is no source.
   */
  async reload(onPlan: (built: string | null) => void = () => undefined): Promise<Plugin> {
    const startedAtMs = systemClock.monotonic();
    const { manifest } = await readSpec(this.#directory, 'development');
    const built = planBuild(this.#directory, manifest)?.outfile.split('/')[0] ?? null;
    onPlan(built);
    const { files } = listSources(this.#directory, built);
    const done = await build(this.#directory, manifest, [...files.keys()]);
    this.#introduce(manifest);
    for (const warning of done.warnings) {
      this.say(`${this.#style('yellow', '!')} ${await showIssue(this.#directory, warning)}`);
    }
    const builtAtMs = systemClock.monotonic();
    const places = this.#places;
    // A stack it prints while it starts belongs to the new build.
    this.#places = sourcePlaces(done);
    try {
      this.#plugin = await this.#host.develop();
    } catch (error) {
      const message = error instanceof Error ? this.#places(error.message) : String(error);
      if (this.#plugin !== undefined) this.#places = places;
      throw error instanceof MmmError ? new MmmError(error.code, message, error.data, { cause: error }) : error;
    }
    const what = done.plan === null ? 'checked' : `built ${done.plan.entry}`;
    const times = [builtAtMs - startedAtMs, systemClock.monotonic() - builtAtMs].map((ms) => `${ms.toFixed(0)} ms`);
    this.say(`${this.#style('green', '✓')} ${what} in ${times[0]}, started in ${times[1]}`);
    return this.#plugin;
  }

  /** Makes the call and prints its answer. Throws what the call throws. */
  async call({ capability, input, text }: CallToTry, signal: AbortSignal): Promise<CallResult> {
    const plugin = this.#plugin;
    if (plugin === undefined) throw new Error('There is no plugin to call.');
    this.say(`${this.#style('bold', '→')} ${safeText(text, 400)}`);
    const { output, durationMs } = await plugin.execute(capability, input, {
      signal,
      onProgress: (value) => {
        const part = value.kind === 'chunk' ? JSON.stringify(value.data) : (value.message ?? '');
        this.say(this.#style('dim', `  … ${safeText(part, 400)}`));
      },
    });
    return { output, durationMs };
  }

  /** The answer on stdout, how long it took on stderr. */
  showResult({ output, durationMs }: CallResult): void {
    this.#io.stdout.write(`${formatOutput(this.#io, output)}\n`);
    this.say(this.#style('dim', `← ${durationMs.toFixed(1)} ms`));
  }

  /** A line of the plugin's log. Of the host's own lines only what is wrong is shown. */
  showLog({ stream, level, message, fields }: LogLine): void {
    if (stream === 'host' && level !== 'warn' && level !== 'error') return;
    const name = stream === 'log' ? level : stream;
    const more = fields === undefined || Object.keys(fields).length === 0 ? '' : ` ${JSON.stringify(fields)}`;
    const text = safeText(this.#places(`${message}${more}`), 2000);
    const isBad = level === 'error' || level === 'warn';
    this.say(`${this.#style(isBad ? 'yellow' : 'dim', `${name.padStart(6)} │`)} ${text}`);
  }

  showError(error: unknown): void {
    const cross = this.#style('red', '✗');
    if (!(error instanceof MmmError)) {
      this.say(`${cross} ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`);
      return;
    }
    const { code, message }: MmmError = error;
    // Its last lines were shown as they came.
    const [sentence = '', ...rest] = message.split(/ (?:Its last lines|It last printed):\n/);
    const text = rest.length === 0 ? message : `${sentence} What it printed is above.`;
    this.say(`${cross} ${this.#style('red', errorHelp[code].number)} ${this.#places(text)}`);
  }

  say(text: string): void {
    note(this.#io, text);
  }

  #introduce(manifest: Manifest): void {
    if (this.#introduced) return;
    this.#introduced = true;
    const { name, version } = manifest.plugin;
    const badge = this.#style('yellow', '[development, unsigned]');
    this.say(`${this.#style('bold', name)} ${version} ${badge} ${safeText(this.#directory, 400)}`);
    this.say(this.#style('dim', '  runs confined, from a read-only copy of the folder; no other command starts it'));
    for (const line of heardLines(heardEvents(manifest))) this.say(`  ${line}`);
  }
}
