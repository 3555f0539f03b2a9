#!/usr/bin/env node
// Starts the command. Compiling its one large file would take most of the time of a short command, so what the engine
// compiled is kept between runs. It is only ever an aid: without it, or when it does not fit, the file is compiled.
'use strict';
const { isAscii } = require('node:buffer');
const fs = require('node:fs');
const { createRequire } = require('node:module');
const { dirname, join } = require('node:path');
const vm = require('node:vm');

const prefix = `mmm-${process.version}-${process.arch}-`;
const [option, ...rest] = process.argv.slice(2);
if (rest.length === 0 && (option === '--version' || option === '-V')) {
  process.stdout.write(`${require('../package.json').version}\n`);
} else if (fs.existsSync(join(__dirname, '../dist/mmm.cjs'))) {
  load(join(__dirname, '../dist/mmm.cjs'));
} else {
  process.stderr.write('mmm is not built yet. Run: npm run build\n');
  process.exitCode = 1;
}

function load(file) {
  const source = fs.readFileSync(file);
  const identity = fs.statSync(file, { bigint: true });
  const cache = findCache(file, identity);
  const text = isAscii(source) ? source.latin1Slice() : source.toString();
  const script = new vm.Script(`(function (exports, require, module, __filename, __dirname) {${text}\n})`, {
    filename: file,
    cachedData: cache.data,
    importModuleDynamically: vm.constants.USE_MAIN_CONTEXT_DEFAULT_LOADER,
  });
  if (cache.path !== undefined && (cache.data === undefined || script.cachedDataRejected)) {
    // At the end, when what this run needed has been compiled.
    process.once('exit', () => write(cache.path, script));
  }
  const module = { exports: {} };
  const run = script.runInThisContext();
  run.call(module.exports, module.exports, createRequire(file), module, file, dirname(file));
}

/**
 * The compiled code that belongs to exactly this file and this Node, and where to put it if there is none. Compiled
 * code can do anything, so it is only taken from where nobody can write but the owner of the program or this user.
 */
function findCache(file, { dev, ino, size, mtimeNs, ctimeNs, uid: owner }) {
  const user = BigInt(process.geteuid());
  const name = prefix + [dev, ino, size, mtimeNs, ctimeNs].map((part) => part.toString(36)).join('-');
  const folders = [dirname(file)];
  const home = process.env.XDG_CACHE_HOME || (process.env.HOME && join(process.env.HOME, '.cache'));
  if (home?.startsWith('/')) folders.push(join(home, 'mmm'));
  const isSafe = ({ uid, mode }, owners) => owners.includes(uid) && (mode & 0o022n) === 0n;
  let path;
  for (const [index, folder] of folders.entries()) {
    // Beside the program its owner is trusted as the program is; elsewhere only this user.
    const owners = index === 0 ? [owner] : [user];
    try {
      if (!isSafe(fs.lstatSync(folder, { bigint: true }), owners)) continue;
      path ??= owners.includes(user) ? join(folder, `${name}.cache`) : undefined;
      const descriptor = fs.openSync(join(folder, `${name}.cache`), fs.constants.O_RDONLY | fs.constants.O_NOFOLLOW);
      try {
        const found = fs.fstatSync(descriptor, { bigint: true });
        if (found.isFile() && isSafe(found, owners)) return { path, data: fs.readFileSync(descriptor) };
      } finally {
        fs.closeSync(descriptor);
      }
    } catch {
      // Not there.
      if (index > 0) path ??= join(folder, `${name}.cache`);
    }
  }
  return { path, data: undefined };
}

function write(path, script) {
  const unfinished = `${path}.${process.pid}`;
  try {
    const folder = dirname(path);
    fs.mkdirSync(folder, { recursive: true, mode: 0o700 });
    fs.writeFileSync(unfinished, script.createCachedData(), { mode: 0o644, flag: 'wx' });
    fs.renameSync(unfinished, path);
    // What belongs to an older build of this program is of no use any more.
    for (const name of fs.readdirSync(folder)) {
      if (name.startsWith(prefix) && join(folder, name) !== path) fs.unlinkSync(join(folder, name));
    }
  } catch {
    fs.rmSync(unfinished, { force: true });
  }
}
