import { type ErrorCode, errorHelp, MmmError } from '@mmm/protocol';
import type { Command } from 'commander';
import { withHost } from '../open-host.ts';
import { exitCodes, print, styler } from '../output.ts';
import { type Registry, withGlobals } from '../program.ts';

/** `mmm doctor` and `mmm help E…`. */
export function addSystemCommands(program: Command, registry: Registry): void {
  withGlobals(program.command('doctor'))
    .description('check what this machine can enforce and what is wrong')
    .action((options) =>
      registry.select(
        (io) =>
          withHost(io, options, async (host) => {
            const report = await host.doctor();
            const style = styler(io);
            const colours = { ok: 'green', warning: 'yellow', problem: 'red' } as const;
            const symbols = { ok: '✓', warning: '!', problem: '✗' } as const;
            print(
              io,
              options,
              report,
              report.checks
                .map(
                  ({ name, status, message, fix }) =>
                    `${style(colours[status], symbols[status])} ${name}: ${message}` +
                    (fix === undefined ? '' : `\n    ${fix}`),
                )
                .join('\n'),
            );
            return report.ok ? exitCodes.ok : exitCodes.findings;
          }),
        options,
      ),
    );
  withGlobals(program.command('help'))
    .description('explain an error, or list all of them')
    .argument('[code]', 'such as E0112')
    .action((code: string | undefined, options) =>
      registry.select(async (io) => {
        if (code === undefined) {
          program.outputHelp();
          io.stdout.write(
            `\nErrors:\n${allErrors()
              .map(({ number, title }) => `  ${number}  ${title}`)
              .join('\n')}\n`,
          );
          return exitCodes.ok;
        }
        const entry = allErrors().find(
          ({ number, name }) => number === code.toUpperCase() || name === code.toUpperCase(),
        );
        if (entry === undefined) {
          throw new MmmError('USAGE', `"${code}" is not an error of mmm. Run mmm help for the list.`, {
            argument: code,
          });
        }
        const { number, name, title, why, fix, exitCode } = entry;
        print(
          io,
          options,
          { code: number, name, title, why, fix, exit_code: exitCode },
          `${number} ${name}: ${title}\n\nWhy: ${why}\n\nWhat to do: ${fix}\n\nExit code: ${exitCode}`,
        );
        return exitCodes.ok;
      }, options),
    );
}

function allErrors(): ({ name: string } & (typeof errorHelp)[ErrorCode])[] {
  return (Object.keys(errorHelp) as ErrorCode[]).map((name) => ({ name, ...errorHelp[name] }));
}
