import { readFile } from 'node:fs/promises';
import type { SandboxTools } from './tools.ts';

/** The package without which confined plugins run, but not as they should. */
export function missingPackage({ helper, prlimit, nsenter, setpriv, socat }: SandboxTools): string | undefined {
  if ((prlimit === null && helper === null) || nsenter === null || setpriv === null) return 'util-linux';
  return socat === null ? 'socat' : undefined;
}

/** The command that installs a package on this distribution. */
export async function installCommand(packageName: string): Promise<string> {
  const text = await readFile('/etc/os-release', 'utf8').catch(() => '');
  const names = /^ID=(.*)$/m.exec(text)?.[1] ?? '';
  const likes = /^ID_LIKE=(.*)$/m.exec(text)?.[1] ?? '';
  const family = `${names} ${likes}`.replaceAll('"', '').split(/\s+/);
  const commands: readonly [families: readonly string[], command: string][] = [
    [['debian', 'ubuntu'], 'apt-get install'],
    [['fedora', 'rhel', 'centos'], 'dnf install'],
    [['arch'], 'pacman -S'],
    [['alpine'], 'apk add'],
    [['suse', 'opensuse'], 'zypper install'],
  ];
  const found = commands.find(([families]) => families.some((candidate) => family.includes(candidate)));
  const sudo = process.getuid?.() === 0 ? '' : 'sudo ';
  return found === undefined ? `Install the package ${packageName}.` : `${sudo}${found[1]} ${packageName}`;
}

/** What forbids namespaces to ordinary users, and the command that allows them. */
export async function namespaceAdvice(failure: string): Promise<string> {
  const value = async (file: string): Promise<string> => (await readFile(file, 'utf8').catch(() => '')).trim();
  if ((await value('/proc/sys/kernel/unprivileged_userns_clone')) === '0') {
    return 'sudo sysctl -w kernel.unprivileged_userns_clone=1';
  }
  if ((await value('/proc/sys/user/max_user_namespaces')) === '0')
    return 'sudo sysctl -w user.max_user_namespaces=15000';
  if ((await value('/proc/sys/kernel/apparmor_restrict_unprivileged_userns')) === '1') {
    return 'sudo sysctl -w kernel.apparmor_restrict_unprivileged_userns=0';
  }
  return /namespace|Operation not permitted|setting up uid map/.test(failure)
    ? 'Allow namespaces here; for a container: --security-opt seccomp=unconfined --cap-add SYS_ADMIN.'
    : 'Mend what bubblewrap names there.';
}
