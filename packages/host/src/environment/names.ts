/**
 * Variables that make a program load code, trust another authority, or take another way into the network, and those the
 * host itself sets. A plugin never gets them from outside: a value in them would undo the sandbox or the signature.
 * A trailing or leading `*` stands for anything. Compared in upper case.
 */
const never = [
  // Set by the host.
  'PATH',
  'HOME',
  'PWD',
  'OLDPWD',
  'TMPDIR',
  'MMM_*',
  '*_PROXY',
  // Dynamic loader and C library.
  'LD_*',
  'DYLD_*',
  'GLIBC_TUNABLES',
  'GCONV_PATH',
  'LOCPATH',
  'NLSPATH',
  'MALLOC_*',
  'HOSTALIASES',
  'LOCALDOMAIN',
  'RES_OPTIONS',
  'RESOLV_*',
  'TZDIR',
  'GETCONF_DIR',
  // Shells.
  'BASH_ENV',
  'BASH_FUNC_*',
  'BASHOPTS',
  'SHELLOPTS',
  'ENV',
  'ZDOTDIR',
  'IFS',
  'CDPATH',
  'PROMPT_COMMAND',
  'PS4',
  // Interpreters.
  'NODE_OPTIONS',
  'NODE_PATH',
  'NODE_EXTRA_CA_CERTS',
  'NODE_REPL_*',
  'NODE_V8_COVERAGE',
  'NODE_COMPILE_CACHE',
  'NODE_TLS_REJECT_UNAUTHORIZED',
  'NODE_CHANNEL_*',
  'NODE_USE_*',
  'ELECTRON_RUN_AS_NODE',
  'PYTHON*',
  'PERL5*',
  'PERLLIB',
  'PERL_*',
  'RUBYOPT',
  'RUBYLIB',
  'GEM_*',
  'BUNDLE_GEMFILE',
  'LUA_*',
  'PHPRC',
  'PHP_INI_SCAN_DIR',
  'CLASSPATH',
  'JAVA_TOOL_OPTIONS',
  'JDK_JAVA_OPTIONS',
  '_JAVA_OPTIONS',
  'DOTNET_STARTUP_HOOKS',
  'CORECLR_*',
  'COMPLUS_*',
  // Programs that start others.
  'GIT_SSH*',
  'GIT_EXEC_PATH',
  'GIT_CONFIG*',
  'GIT_ASKPASS',
  'GIT_PROXY_COMMAND',
  'GIT_EXTERNAL_DIFF',
  'GIT_PAGER',
  'GIT_EDITOR',
  'GIT_SEQUENCE_EDITOR',
  'GIT_TEMPLATE_DIR',
  // Another repository, with settings and hooks of its own.
  'GIT_DIR',
  'GIT_COMMON_DIR',
  'GIT_WORK_TREE',
  'GIT_OBJECT_DIRECTORY',
  'GIT_ALTERNATE_OBJECT_DIRECTORIES',
  'GIT_NAMESPACE',
  'GIT_ALLOW_PROTOCOL',
  'GIT_SSL_*',
  'GIT_TRACE*',
  'SSH_ASKPASS',
  'SSH_AUTH_SOCK',
  'SUDO_*',
  'NPM_CONFIG_*',
  'PIP_*',
  'GOFLAGS',
  'RUSTC_WRAPPER',
  'MAKEFLAGS',
  'LESSOPEN',
  'LESSCLOSE',
  // Whom TLS trusts.
  'SSL_CERT_*',
  'OPENSSL_*',
  'CURL_CA_BUNDLE',
  'REQUESTS_CA_BUNDLE',
];

const secret = new RegExp(
  [
    'SECRET',
    'TOKEN',
    'PASS(?:WORD|WD|PHRASE)?(?![A-Z])',
    'PWD',
    'CREDENTIAL',
    'PRIVATE',
    'AUTH',
    'COOKIE',
    'SESSION',
    'API_?KEY',
    'ACCESS_?KEY',
    '(?:^|_)KEY(?:S|$|_)',
    '(?:^|_)PAT(?:$|_)',
    'DSN',
    'DATABASE_URL',
    'CONNECTION_?STRING',
    'WEBHOOK',
    '^AWS_',
    '^AZURE_',
    '^GOOGLE_',
    '^GCP_',
    '^KUBE',
  ].join('|'),
);

/**
 * The entry of the list above that a variable name, or a pattern with a trailing `*`, could be; otherwise undefined.
 */
export function neverPassed(name: string): string | undefined {
  const wanted = name.toUpperCase();
  return never.find((entry) => overlaps(wanted, entry));
}

/** Whether the name is one under which secrets are kept. A pattern is taken for one when its fixed part is. */
export function looksSecret(name: string): boolean {
  return secret.test(name.toUpperCase().replace(/\*$/, ''));
}

/** Whether some name matches both. `wanted` may end in `*`; `entry` may begin or end with one. */
function overlaps(wanted: string, entry: string): boolean {
  const open = wanted.endsWith('*');
  const fixed = open ? wanted.slice(0, -1) : wanted;
  // Any prefix can be continued to end as a leading `*` asks: `FOO*` covers FOO_PROXY, which no program reads. So an
  // open pattern counts only when it covers one of the proxy variables that programs do read.
  if (entry.startsWith('*')) {
    const ending = entry.slice(1);
    const read = ['HTTP', 'HTTPS', 'FTP', 'ALL', 'NO', 'SOCKS', 'WS', 'WSS'].map((word) => `${word}${ending}`);
    return open ? read.some((word) => word.startsWith(fixed)) : fixed.endsWith(ending);
  }
  if (entry.endsWith('*')) {
    const start = entry.slice(0, -1);
    return fixed.startsWith(start) || (open && start.startsWith(fixed));
  }
  return open ? entry.startsWith(fixed) : entry === fixed;
}
