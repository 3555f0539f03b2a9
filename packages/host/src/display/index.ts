export { describeExit } from './exit-error.ts';
export { safeLines, safeText } from './safe-text.ts';
