import { closeSync, constants, fstatSync, openSync, readFileSync } from 'node:fs';
import { MmmError } from '@mmm/protocol';
import * as z from 'zod';
import { hostLimits } from '../limits.ts';
import { type PlacedProblem, placeProblems, problemsMessage, readToml, unsafeData } from '../source/document.ts';
import { type Described, describeIssues } from '../source/issues.ts';
import { eventsSection } from './events.ts';
import { limitsSection } from './limits.ts';
import { logsSection } from './logs.ts';
import { checkMappings, mappingSections } from './mappings.ts';
import { metricsSection } from './metrics.ts';
import { modelsSection } from './models.ts';
import { pluginsSection } from './plugins.ts';
import { policySection } from './policy.ts';
import { supervisionSection } from './supervision.ts';
import { trustSection } from './trust.ts';

/** `$MMM_HOME/config.toml`: one table a section, each in a file of its own here. Unknown keys are refused. */
export const settingsFile = z
  .strictObject({
    policy: policySection.optional().describe('What is granted automatically, asked about and refused.'),
    limits: limitsSection.optional().describe('How much plugins may use, and the most their manifests may ask for.'),
    supervision: supervisionSection.optional().describe('When plugins are restarted, watched, stopped and kept ready.'),
    models: modelsSection.optional().describe('Which plugins answer requests to language models.'),
    trust: trustSection.optional().describe('What is asked of signatures beyond the trust store.'),
    metrics: metricsSection.optional().describe('Where the daemon serves what it counts.'),
    logs: logsSection.optional().describe('How much of the logs of plugins and of the daemon is kept.'),
    events: eventsSection.optional().describe('How long events are kept, and how many plugins may emit.'),
    plugins: pluginsSection.optional().describe('Plugins that are used without being installed.'),
    ...mappingSections,
  })
  .superRefine(checkMappings);
type Sections = z.output<typeof settingsFile>;

/** What the file says; a section that it does not have is absent, and whoever reads it knows the defaults. */
export interface Settings extends Sections {
  /** Absolute path, for messages: also when there is no file. */
  readonly file: string;
  /** False when there is none, and everything is as by default. */
  readonly exists: boolean;
}

const described: Described = {
  schema: settingsFile,
  sections: Object.keys(settingsFile.shape),
  union: 'has none of the shapes it may have',
};

/**
 * Reads the settings of a home, once, when a host is opened. Throws CONFIG_INVALID with every problem, each with line,
 * column and key, and for a file that others can write, which would decide for its owner.
 */
export async function readSettings(file: string): Promise<Settings> {
  const text = readOwn(file);
  if (text === undefined) return { file, exists: false };
  const reading = readToml(text);
  if ('faults' in reading)
    throw invalid(
      file,
      text,
      reading.faults.map((fault) => ({ ...fault, path: '' })),
    );
  const unsafe = await unsafeData(reading, 'the file');
  if (unsafe !== undefined) throw invalid(file, text, unsafe);
  const parsed = settingsFile.safeParse(reading.value);
  if (parsed.success) return { ...parsed.data, file, exists: true };
  throw invalid(
    file,
    text,
    await placeProblems(reading, describeIssues(parsed.error.issues, reading.value, described)),
  );
}

/** Undefined when there is none. A link is followed: people keep their settings elsewhere. */
function readOwn(file: string): string | undefined {
  let descriptor: number;
  try {
    // Without waiting for the other end of a pipe that somebody put in its place.
    descriptor = openSync(file, constants.O_RDONLY | constants.O_NONBLOCK);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw unreadable(file, error instanceof Error ? error.message : String(error));
  }
  try {
    const stat = fstatSync(descriptor);
    if (!stat.isFile()) throw unreadable(file, 'it is not a file');
    const uid = process.getuid?.() ?? stat.uid;
    if (stat.uid !== uid && stat.uid !== 0)
      throw unreadable(file, `it belongs to uid ${stat.uid}, not to you (${uid})`);
    if ((stat.mode & 0o022) !== 0) throw unreadable(file, `others may write it; run: chmod go-w '${file}'`);
    if (stat.size > hostLimits.settingsBytes) {
      throw unreadable(file, `it is larger than ${hostLimits.settingsBytes / 1024} KiB`);
    }
    const text = new TextDecoder('utf-8', { fatal: true }).decode(readFileSync(descriptor));
    return text.startsWith('\uFEFF') ? text.slice(1) : text;
  } catch (error) {
    if (error instanceof TypeError) throw unreadable(file, 'it is not UTF-8');
    throw error;
  } finally {
    closeSync(descriptor);
  }
}

function unreadable(file: string, reason: string): MmmError<'CONFIG_INVALID'> {
  const issues = [{ path: '', message: reason }];
  return new MmmError('CONFIG_INVALID', `The settings in ${file} cannot be used: ${reason}.`, { file, issues });
}

function invalid(file: string, text: string, problems: readonly PlacedProblem[]): MmmError<'CONFIG_INVALID'> {
  const message = problemsMessage({ intro: 'The settings file', file, text }, problems);
  const issues = problems
    .slice(0, hostLimits.issuesListed)
    .map(({ path, message: problem }) => ({ path, message: problem }));
  return new MmmError('CONFIG_INVALID', message, { file, issues });
}
