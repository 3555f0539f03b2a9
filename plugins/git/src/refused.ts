import { PluginError } from '@mmm/plugin-sdk';
import type { GitResult } from './program.ts';

/** The caller gave something that cannot be used; `field` names it. */
export function wrongInput(field: string, problem: string, advice = ''): PluginError {
  return new PluginError(`${field} ${problem}.${advice === '' ? '' : ` ${advice}`}`, {
    kind: 'invalid_params',
    details: { issues: [{ path: field, message: problem }] },
  });
}

/** What git said, with what to do about the failures people meet. */
export function gitFailed(what: string, repository: string, result: GitResult): PluginError {
  const said = result.stderr.trim().replaceAll(/^(?:fatal|error): /gm, '');
  const details = { exit_code: result.code, stderr: result.stderr.slice(0, 4000) };
  if (/dubious ownership/.test(said)) {
    const uid = process.getuid?.() ?? 0;
    return new PluginError(
      `${repository} does not belong to uid ${uid}, as which this plugin runs, and git refuses what others own. ` +
        `To let it: chown -R ${uid}:${uid} '${repository}'`,
      { kind: 'permission_denied', details },
    );
  }
  if (/not a git repository/.test(said)) return wrongInput('repository', `"${repository}" is not a git repository`);
  if (/empty ident|tell me who you are|no (?:name|email) was given/i.test(said)) {
    return new PluginError(
      'git needs to know who commits. Set author_name and author_email in the configuration of this plugin, or ' +
        'user.name and user.email in that of the repository.',
      { kind: 'invalid_config', details },
    );
  }
  return new PluginError(`git could not ${what}: ${said === '' ? `it exited with ${result.code}` : said}`, { details });
}

/** `run_hooks` is set, and the sandbox starts no program from the repository. */
export function hookNotRunnable(repository: string, hook: string): PluginError {
  return new PluginError(
    `${hook} would not run: nothing in ${repository} may be started. Grant it (mmm plugin grant git ` +
      `'filesystem=execute:\${project}'), or set run_hooks to false. Nothing was committed; it is staged.`,
    { kind: 'permission_denied', details: { hook } },
  );
}
