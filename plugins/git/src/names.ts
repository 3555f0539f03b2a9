import { wrongInput } from './refused.ts';

/** What may stand for a commit: names, hashes and `HEAD~2`, `main^`, `v1@{1}`; never an option or a range. */
const revisionPattern = /^(?![-./])(?!.*\.\.)(?!.*\/\/)[\p{L}\p{N}._/@{}~^+-]{1,250}$/u;
/** Stricter than git: what any system and shell can show. */
const branchPattern = /^(?![-./])(?!.*(?:\.\.|\/\/|@\{|\.lock(?:\/|$)|\/\.))[A-Za-z0-9._/+-]{1,200}(?<![./])$/;

/** Throws unless git can only take the text for the name of a commit. */
export function checkRevision(field: string, text: string): string {
  if (revisionPattern.test(text)) return text;
  throw wrongInput(field, `"${text}" is not the name of a commit`, 'Use a branch, a tag, a hash or HEAD~1.');
}

/** Throws unless the text is a good name of a branch. */
export function checkBranch(field: string, text: string): string {
  if (branchPattern.test(text)) return text;
  throw wrongInput(field, `"${text}" is not the name of a branch`);
}

/** Throws unless the text is a path inside a repository and outside of `.git`. */
export function checkPath(field: string, text: string): string {
  const parts = text.split('/');
  const isInside = text !== '' && !text.startsWith('/') && !text.includes('\0') && !parts.includes('..');
  if (!isInside) throw wrongInput(field, `"${text}" is not a path inside the repository`);
  if (parts.some((part) => part.toLowerCase() === '.git')) {
    throw wrongInput(field, `"${text}" lies in .git, which only git itself may change`);
  }
  return text;
}

/** Throws unless the text is an absolute path as it stands: nothing in it leads up again. */
export function checkRepository(field: string, text: string): string {
  const parts = text.split('/').slice(1);
  const isPlain = text.startsWith('/') && !text.includes('\0') && !parts.includes('..') && !parts.includes('.');
  if (!isPlain) throw wrongInput(field, `"${text}" is not an absolute path`);
  return text.length > 1 ? text.replace(/\/+$/, '') : text;
}
