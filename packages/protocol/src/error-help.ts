import type { ErrorCode } from './errors.ts';
import { exitCodes } from './errors.ts';
import { trustErrorHelp } from './trust-error-help.ts';

export interface ErrorHelp {
  /** Stable and never reused: what `mmm help E0101` takes. */
  readonly number: `E${number}`;
  readonly exitCode: number;
  readonly title: string;
  readonly why: string;
  readonly fix: string;
}

export const errorHelp: { readonly [C in ErrorCode]: ErrorHelp } = {
  MANIFEST_INVALID: {
    number: 'E0101',
    exitCode: exitCodes.failed,
    title: 'A plugin manifest is not valid',
    why: 'The manifest has a syntax error, an unknown key, or a value that its schema does not take.',
    fix:
      'Open the named file at the named line and column and correct it; every problem of the file is listed at ' +
      'once.',
  },
  MANIFEST_UNREADABLE: {
    number: 'E0102',
    exitCode: exitCodes.notFound,
    title: 'A plugin folder has no readable manifest',
    why: 'There is no plugin.toml or plugin.yaml in the folder, there are both, or the file cannot be read.',
    fix: 'Keep exactly one of plugin.toml and plugin.yaml in the folder and make it readable.',
  },
  PLUGIN_NOT_FOUND: {
    number: 'E0110',
    exitCode: exitCodes.notFound,
    title: 'No plugin of this name is known',
    why: 'Nothing on the search path has this name, or the plugin there was refused when it was read.',
    fix: 'Run `mmm plugin list`: it shows every plugin found and every folder that was refused, with the reason.',
  },
  PLUGIN_INCOMPATIBLE: {
    number: 'E0111',
    exitCode: exitCodes.notFound,
    title: 'The plugin does not fit this mmm',
    why: 'The manifest asks for a version of mmm, of the protocol, or for a platform that this host is not.',
    fix: 'Install a version of the plugin made for this host, or update mmm.',
  },
  CAPABILITY_NOT_FOUND: {
    number: 'E0112',
    exitCode: exitCodes.notFound,
    title: 'The plugin has no such capability',
    why: 'The name is neither a capability of the manifest nor one of its aliases, or the plugin left it out at start.',
    fix: 'Run `mmm plugin info <plugin>` for the list of what it can do.',
  },
  PLUGIN_DISABLED: {
    number: 'E0113',
    exitCode: exitCodes.failed,
    title: 'The plugin is disabled',
    why: 'It was switched off with `mmm plugin disable`.',
    fix: 'Run `mmm plugin enable <plugin>`.',
  },
  PLUGIN_NAME_TAKEN: {
    number: 'E0114',
    exitCode: exitCodes.failed,
    title: 'Two plugins have the same name',
    why: 'A plugin of this name is already registered, or two folders of the same rank on the search path claim it.',
    fix: 'Remove or rename one of the two folders.',
  },
  DEPENDENCY_MISSING: {
    number: 'E0115',
    exitCode: exitCodes.notFound,
    title: 'A plugin it needs is not there',
    why: 'Its manifest requires another plugin that is not installed, is disabled, or has a version that will not do.',
    fix: 'Install or enable the named plugin in a version of the named range; `mmm plugin doctor <plugin>` lists them.',
  },
  DEPENDENCY_CYCLE: {
    number: 'E0116',
    exitCode: exitCodes.failed,
    title: 'Plugins need each other in a circle',
    why: 'Following what each one requires leads back to the first, so none of them can be started before the others.',
    fix: 'One of the authors must drop a requirement or mark it `optional = true`; the message names the circle.',
  },
  DEPENDENCY_FAILED: {
    number: 'E0117',
    exitCode: exitCodes.crashed,
    title: 'A plugin it needs could not be started',
    why: 'What a plugin requires is started before it, and that failed; its own error is in the message.',
    fix: 'Mend the named plugin first: `mmm plugin doctor` with its name shows how it ended and what to do.',
  },
  ...trustErrorHelp,
  CONSENT_REQUIRED: {
    number: 'E0301',
    exitCode: exitCodes.consent,
    title: 'The plugin asks for permissions nobody has decided on',
    why: 'Its manifest requires permissions that are neither granted nor granted automatically by policy.',
    fix:
      'Read them with `mmm plugin info <plugin>`, then `mmm plugin grant <plugin> ' +
      '<permission>…`, or install with `--grant-requested`.',
  },
  PERMISSION_DENIED: {
    number: 'E0302',
    exitCode: exitCodes.consent,
    title: 'The plugin was not granted this',
    why: 'It asked the host for something outside its grants. The refusal is in the audit log.',
    fix: 'If you want it to, run `mmm plugin grant <plugin> <permission>`.',
  },
  GRANT_INVALID: {
    number: 'E0303',
    exitCode: exitCodes.usage,
    title: 'This cannot be granted',
    why: 'The permission is misspelt, is not one the manifest asks for, or is of a kind that is never granted.',
    fix: 'Spell it as `mmm plugin info` shows it, for example `filesystem=read:/path` or `environment=NAME`.',
  },
  GRANT_UNUSABLE: {
    number: 'E0304',
    exitCode: exitCodes.consent,
    title: "A granted folder cannot be used by the plugin's user",
    why: 'The plugin runs as its own user, and that user may not read or write the folder.',
    fix: 'Run the command the error names, or grant another folder.',
  },
  POLICY_REFUSED: {
    number: 'E0305',
    exitCode: exitCodes.consent,
    title: 'Your policy does not let this plugin run',
    why:
      'The [policy] section of config.toml, or the program that opened the host, allows only other publishers or ' +
      'asks for more confinement.',
    fix: 'Change the key that the message names, or do without this plugin.',
  },
  GRANT_CHANGED: {
    number: 'E0306',
    exitCode: exitCodes.consent,
    title: 'A granted path leads to something else than before',
    why: 'The file or folder that was there when you agreed was replaced, by you or by somebody who wants to be read.',
    fix: 'Look at what is there now. If that is what you mean, run the command the error names: it agrees to it again.',
  },
  SANDBOX_UNAVAILABLE: {
    number: 'E0401',
    exitCode: exitCodes.failed,
    title: 'The plugin cannot be confined on this machine',
    why: 'The operating system offers no sandbox that mmm can use, and plugins are not started without one.',
    fix: 'Run `mmm doctor`: it says what is missing and the command that installs it.',
  },
  PROGRAM_NOT_FOUND: {
    number: 'E0501',
    exitCode: exitCodes.notFound,
    title: "The plugin's program or interpreter is missing",
    why:
      'The first word of `command`, or the interpreter its first line names, is neither in the bundle nor in ' +
      '/usr/local/bin, /usr/bin or /bin.',
    fix: 'Install the program, or correct `command` in the manifest.',
  },
  LAUNCH_FAILED: {
    number: 'E0502',
    exitCode: exitCodes.crashed,
    title: 'The plugin did not start',
    why: 'The process could not be started or ended before it answered.',
    fix: 'Read the lines it printed, shown with the error and by `mmm plugin logs <plugin>`.',
  },
  HANDSHAKE_REFUSED: {
    number: 'E0503',
    exitCode: exitCodes.crashed,
    title: 'The plugin and the host could not agree',
    why:
      'It answered initialize with an error, another name or version, a capability its manifest does not have, or ' +
      'a protocol version the host does not speak.',
    fix: "Correct the plugin's answer to initialize; `{}` is always valid.",
  },
  START_TIMEOUT: {
    number: 'E0504',
    exitCode: exitCodes.crashed,
    title: 'The plugin did not answer initialize in time',
    why: 'It is slow, waits for something, or does not read its standard input.',
    fix: 'Raise `[limits] start_timeout_s` in the manifest, or make it answer before it does slow work.',
  },
  BUILD_FAILED: {
    number: 'E0505',
    exitCode: exitCodes.failed,
    title: 'The plugin under development cannot be built',
    why: 'A source file of it has an error. Nothing of it was run.',
    fix: 'Correct the named line. With `mmm plugin dev --watch` the last build that worked keeps running until then.',
  },
  INSTALL_STEP_FAILED: {
    number: 'E0506',
    exitCode: exitCodes.crashed,
    title: "The plugin's install step failed",
    why:
      'The program that its manifest names in [install] ended with an error or took too long, so the plugin was ' +
      'not started.',
    fix:
      '`mmm plugin logs <plugin>` shows what it printed. It is tried again at the next start; installed with ' +
      '`--no-hooks`, the plugin starts without it.',
  },
  RELOAD_FAILED: {
    number: 'E0507',
    exitCode: exitCodes.crashed,
    title: 'Another process could not be put in the place of the one that runs',
    why:
      'The candidate did not start, did not answer or ended right after its start. Nothing was switched: the version ' +
      'that ran goes on, and an update that led to this was taken back.',
    fix: 'The message says why; `mmm plugin logs <plugin>` shows what it printed. Mend that and try again.',
  },
  ROLLBACK_UNAVAILABLE: {
    number: 'E0508',
    exitCode: exitCodes.notFound,
    title: 'There is no version to go back to',
    why: 'One version before the installed one is kept, from the next update on, until the plugin is removed.',
    fix: 'Install the version you want with `mmm plugin install <archive> --allow-downgrade`.',
  },
  INPUT_INVALID: {
    number: 'E0601',
    exitCode: exitCodes.usage,
    title: "The input does not match the capability's schema",
    why: 'The plugin was not called: the input was checked before.',
    fix: 'Correct the named fields; `mmm plugin info <plugin>` shows the schema.',
  },
  RESULT_INVALID: {
    number: 'E0602',
    exitCode: exitCodes.failed,
    title: "The plugin's answer does not match its schema",
    why: 'The plugin answered with another shape than the protocol or its own manifest promises.',
    fix: 'This is a bug of the plugin; report it to its author with the named fields.',
  },
  CALL_TIMEOUT: {
    number: 'E0603',
    exitCode: exitCodes.crashed,
    title: 'The plugin did not answer in time',
    why: 'The deadline of the call passed. The plugin was asked to stop working on it.',
    fix: 'Call again with a longer `--timeout`, or set `timeout_s` on the capability.',
  },
  CALL_CANCELLED: {
    number: 'E0604',
    exitCode: exitCodes.cancelled,
    title: 'The call was cancelled',
    why: 'You or the program that made the call ended it.',
    fix: 'Nothing needs mending.',
  },
  CALL_REJECTED: {
    number: 'E0605',
    exitCode: exitCodes.failed,
    title: 'The plugin answered with an error',
    why: 'The plugin ran and refused or failed; its own words are in the message.',
    fix: 'Do what the message says; `mmm plugin logs <plugin>` may say more.',
  },
  MESSAGE_TOO_LARGE: {
    number: 'E0606',
    exitCode: exitCodes.failed,
    title: 'A message is over the size limit',
    why: 'The request or the answer is larger than messages may be.',
    fix: 'Send less, stream it in chunks, or raise `[limits] message_mb` in the manifest (at most 64).',
  },
  BUSY: {
    number: 'E0607',
    exitCode: exitCodes.failed,
    title: 'The plugin has too many calls waiting',
    why: 'Its queue is full.',
    fix: 'Try again later, or make fewer calls at a time.',
  },
  RATE_LIMITED: {
    number: 'E0610',
    exitCode: exitCodes.failed,
    title: 'The plugin takes no more calls in this second',
    why: 'Its manifest or `[limits]` of config.toml says how many calls a second it takes.',
    fix: 'Try again after the time in the message, or raise `calls_per_second` as docs/limits.md says.',
  },
  PLUGIN_EXITED: {
    number: 'E0608',
    exitCode: exitCodes.crashed,
    title: 'The plugin ended during the call',
    why: 'The process exited or was killed before it answered. The host starts it again for the next call.',
    fix: 'Read the lines it printed, shown with the error and by `mmm plugin logs <plugin>`.',
  },
  PLUGIN_UNAVAILABLE: {
    number: 'E0609',
    exitCode: exitCodes.crashed,
    title: 'The plugin is not available now',
    why: 'It crashed too often or failed to start and is being kept off for a while.',
    fix: 'Read the cause, mend it, and wait for the next try, or run `mmm plugin reset <plugin>` and call it again.',
  },
  HOME_INVALID: {
    number: 'E0701',
    exitCode: exitCodes.failed,
    title: 'The mmm home folder cannot be used',
    why: 'It belongs to another user, others may write it, or it is not a folder.',
    fix: 'Give it to your user with mode 0700, or choose another with --home or MMM_HOME.',
  },
  STATE_UNREADABLE: {
    number: 'E0702',
    exitCode: exitCodes.failed,
    title: 'Stored state cannot be read',
    why: 'A file in the home folder is damaged or was written by a newer mmm.',
    fix: 'Update mmm, or move the named file away; nothing is deleted by itself.',
  },
  STATE_CONFLICT: {
    number: 'E0706',
    exitCode: exitCodes.failed,
    title: 'A stored value was changed meanwhile',
    why: 'The change was to be made only to a certain version of the value, and that is not the current one.',
    fix: 'Read it again with `mmm state get`, and repeat the change on what it is now.',
  },
  STATE_QUOTA: {
    number: 'E0707',
    exitCode: exitCodes.failed,
    title: 'A quota of stored values is used up',
    why: 'One value is too large, or a plugin keeps too many keys or bytes in one scope.',
    fix: 'Delete what is not needed with `mmm state delete`, or keep large values in files.',
  },
  BACKUP_INVALID: {
    number: 'E0711',
    exitCode: exitCodes.failed,
    title: 'A backup cannot be used or written',
    why: 'The file is no backup of mmm, is damaged, was made by a newer mmm, or cannot be written where it should be.',
    fix: 'Choose another file. What is in the home was not changed.',
  },
  HOME_IN_USE: {
    number: 'E0712',
    exitCode: exitCodes.failed,
    title: 'The home is in use',
    why: 'A daemon or another program has it open, and what was to be done replaces what they work with.',
    fix: 'Stop the daemon with `mmm daemon stop`, end every other mmm, and try again.',
  },
  DATA_NOT_REMOVED: {
    number: 'E0705',
    exitCode: exitCodes.failed,
    title: 'The data of a plugin could not be removed',
    why: 'Something in its folder is mounted, immutable, or still being written by the plugin in another process.',
    fix: 'Mend what the message names and remove the plugin again, or keep the rest with `--keep-data`.',
  },
  CONFIG_INVALID: {
    number: 'E0703',
    exitCode: exitCodes.usage,
    title: 'The configuration is not valid',
    why: 'A key is unknown or has a value its schema does not take.',
    fix: 'Correct the named fields; those of a plugin with `mmm plugin config set`.',
  },
  HOST_CLOSED: {
    number: 'E0704',
    exitCode: exitCodes.failed,
    title: 'The host is closed',
    why: 'The program called the host after close().',
    fix: 'Create a new host.',
  },
  SAFE_MODE: {
    number: 'E0708',
    exitCode: exitCodes.failed,
    title: 'No plugin is started in safe mode',
    why: 'The daemon of this home was started with --safe, so that everything but plugins can be looked at and mended.',
    fix: 'Mend what made you use it, then run `mmm daemon stop` and `mmm daemon start`.',
  },
  DAEMON_RUNNING: {
    number: 'E0709',
    exitCode: exitCodes.failed,
    title: 'Another daemon has this home',
    why: 'One daemon at a time serves a home, so that nothing is decided or delivered twice.',
    fix: 'Use the one that runs (`mmm daemon status`), or stop it first with `mmm daemon stop`.',
  },
  DAEMON_FAILED: {
    number: 'E0710',
    exitCode: exitCodes.failed,
    title: 'The daemon could not be reached, or is another version',
    why: 'A daemon has this home, but it does not answer, it ended meanwhile, or it speaks another version.',
    fix: 'Run `mmm daemon stop` and `mmm daemon start`; `mmm daemon status` says what it has to say.',
  },
  USAGE: {
    number: 'E0901',
    exitCode: exitCodes.usage,
    title: 'The command was not understood',
    why: 'An argument or option is missing, unknown or has a wrong form.',
    fix: 'Run the command with --help.',
  },
  INTERNAL: {
    number: 'E0999',
    exitCode: exitCodes.failed,
    title: 'mmm itself failed',
    why: 'This is a bug of mmm.',
    fix: 'Report it with the text of the error.',
  },
};
