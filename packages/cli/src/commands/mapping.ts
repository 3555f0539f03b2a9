import type { MappingFired, MappingProblem, MappingsReport, MappingTest, MappingTrial } from '@mmm/host';
import { safeText } from '@mmm/host/display';
import { MmmError } from '@mmm/protocol';
import type { Command } from 'commander';
import type { Io } from '../io.ts';
import { withHost, withHostToRead } from '../open-host.ts';
import { exitCodes, type GlobalOptions, print, styler, table } from '../output.ts';
import { type Registry, withExamples, withGlobals } from '../program.ts';

interface TrialOptions extends GlobalOptions {
  readonly type?: string;
  readonly data?: string;
  readonly source?: string;
  readonly instance?: string;
  readonly mode?: string;
}

/** `mmm mapping …`: what events do, by config.toml. */
export function addMappingCommands(program: Command, registry: Registry): void {
  const mapping = program.command('mapping').description('what events do: triggers, modes and mappings of config.toml');
  addList(mapping, registry);
  addTrial(mapping, registry, 'test');
  addTrial(mapping, registry, 'fire');
  addMode(mapping, registry);
}

function addList(mapping: Command, registry: Registry): void {
  const command = withGlobals(mapping.command('list'))
    .description('list modes, mappings and triggers, checked against the installed plugins')
    .action((options: GlobalOptions) =>
      registry.select(
        (io) =>
          withHostToRead(io, options, async (host) => {
            const report = await host.mappings.list();
            print(io, options, report, listText(io, report));
            return problemsOf(report).length === 0 ? exitCodes.ok : exitCodes.findings;
          }),
        options,
      ),
    );
  withExamples(command, ['mmm mapping list', 'mmm mapping list --json'], 'Exits 7 when something is wrong with one.');
}

function addTrial(mapping: Command, registry: Registry, verb: 'test' | 'fire'): void {
  const isFire = verb === 'fire';
  const command = withGlobals(mapping.command(verb))
    .description(isFire ? 'do what an event would lead to, once' : 'show what an event would lead to; runs nothing')
    .argument('[mapping]', 'its name; all that the event is for when left out')
    .option('--type <type>', 'the type of the event; what the mapping asks for when left out')
    .option('--data <json>', 'the data of the event; fields that are left out are what the mapping asks for')
    .option('--source <name>', 'the plugin it is from')
    .option('--instance <name>', 'the instance of the trigger it is from')
    .option('--mode <name>', 'as if this mode were in force')
    .action((name: string | undefined, options: TrialOptions) =>
      registry.select((io) => {
        const trial = trialOf(name, options);
        return withHost(io, options, async (host) => {
          if (isFire) {
            const fired = await host.mappings.fire(trial);
            print(io, options, fired, fired.map(firedText).join('\n') || nothing);
            return fired.every(({ ok }) => ok) ? exitCodes.ok : exitCodes.failed;
          }
          const tests = await host.mappings.test(trial);
          print(io, options, tests, tests.map(testText).join('\n') || nothing);
          return tests.every(({ problem }) => problem === null) ? exitCodes.ok : exitCodes.findings;
        });
      }, options),
    );
  withExamples(command, [
    `mmm mapping ${verb} doorbell`,
    `mmm mapping ${verb} doorbell --data '{"velocity":20}'`,
    `mmm mapping ${verb} --type midi.note --data '{"note":1,"velocity":99}'`,
  ]);
}

function addMode(mapping: Command, registry: Registry): void {
  const command = withGlobals(mapping.command('mode'))
    .description('say which mode is in force, or put another one in force')
    .argument('[name]', 'the mode to put in force')
    .action((name: string | undefined, options: GlobalOptions) =>
      registry.select(
        (io) =>
          withHost(io, options, async (host) => {
            if (name !== undefined) {
              const mode = await host.mappings.setMode(name);
              print(io, options, mode, `The mode in force is ${safeText(mode.name)}.`);
              return exitCodes.ok;
            }
            const { modes } = await host.mappings.list();
            const current = modes.find(({ isCurrent }) => isCurrent) ?? null;
            print(io, options, current, current === null ? 'There are no modes.' : safeText(current.name));
            return exitCodes.ok;
          }),
        options,
      ),
    );
  withExamples(command, ['mmm mapping mode', 'mmm mapping mode Live']);
}

const nothing = 'No mapping is for this event.';

function trialOf(mapping: string | undefined, { type, data, source, instance, mode }: TrialOptions): MappingTrial {
  if (mapping === undefined && type === undefined) {
    throw new MmmError('USAGE', 'Name a mapping, or the type of an event with --type.', { argument: 'mapping' });
  }
  return {
    ...(mapping === undefined ? {} : { mapping }),
    ...(type === undefined ? {} : { type }),
    ...(data === undefined ? {} : { data: jsonOf(data) }),
    ...(source === undefined ? {} : { source }),
    ...(instance === undefined ? {} : { instance }),
    ...(mode === undefined ? {} : { mode }),
  };
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new MmmError('USAGE', `--data is not JSON: ${reason}.`, { argument: '--data' });
  }
}

function problemsOf({ problems, mappings }: MappingsReport): readonly MappingProblem[] {
  return [...problems, ...mappings.flatMap((mapping) => mapping.problems)];
}

function listText(io: Io, report: MappingsReport): string {
  const style = styler(io);
  const { modes, mappings, triggers, file } = report;
  if (mappings.length + triggers.length === 0) return `There are no mappings in ${safeText(file, 4096)}.`;
  const modeNames = modes.map(({ name, isCurrent }) => (isCurrent ? `${safeText(name)} (in force)` : safeText(name)));
  const rows = mappings.map(({ name, mode, isActive, trigger, action, runs, failures, problems }) => [
    isActive ? (problems.length === 0 ? 'on' : 'wrong') : 'off',
    safeText(name),
    mode === null ? '(every mode)' : safeText(mode),
    `${safeText(trigger, 120)} \u2192 ${safeText(action, 120)}`,
    report.isRunning ? `${runs} runs, ${failures} failed` : '',
  ]);
  const armed = triggers.map(({ plugin, trigger, instance, state, reason }) => [
    report.isRunning ? state : 'not armed here',
    safeText(plugin),
    safeText(trigger),
    safeText(instance),
    reason === null ? '' : safeText(reason),
  ]);
  const wrong = problemsOf(report).map(({ line, column, path, message }) => {
    return `${safeText(file, 4096)}:${line}:${column}: ${safeText(path)} ${safeText(message, 600)}`;
  });
  return [
    ...(modes.length === 0 ? [] : [`${style('bold', 'Modes')}: ${modeNames.join(', ')}`]),
    ...(rows.length === 0 ? [] : [style('bold', 'Mappings'), table(rows)]),
    ...(armed.length === 0 ? [] : [style('bold', 'Triggers'), table(armed)]),
    ...(wrong.length === 0 ? [] : [style('bold', style('red', 'Problems')), ...wrong]),
    ...(report.isRunning ? [] : ['Nothing runs them now: mmm daemon start does.']),
  ].join('\n');
}

function testText({ mapping, action, mode, problem }: MappingTest): string {
  const name = safeText(mapping);
  if (mode !== null) return `${name}: puts the mode ${safeText(mode)} in force`;
  const call =
    action === null
      ? ''
      : ` calls ${safeText(action.plugin)} ${safeText(action.capability)} with ` +
        safeText(JSON.stringify(action.params) ?? 'null', 4000);
  return `${name}:${call}${problem === null ? '' : `${call === '' ? ' ' : '\n  '}${safeText(problem, 600)}`}`;
}

function firedText(fired: MappingFired): string {
  const { mapping, ok, output, problem, durationMs, mode } = fired;
  const name = safeText(mapping);
  if (!ok) return `${name}: failed: ${safeText(problem ?? 'nobody knows why', 600)}`;
  if (mode !== null) return `${name}: the mode ${safeText(mode)} is in force`;
  return `${name}: ${safeText(JSON.stringify(output) ?? 'null', 4000)} (${durationMs} ms)`;
}
