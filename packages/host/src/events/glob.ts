/** Whether a type is one of those a glob names. */
export type TypeMatcher = (type: string) => boolean;

/** Types that one matcher remembers its answer of: few are in use, and what plugins choose must not fill memory. */
const rememberedTypes = 1_000;

/**
 * `*` stands for any number of any characters, dots included; everything else for itself. Takes time linear in the text
 * for each star.
 */
export function matchesGlob(glob: string, text: string): boolean {
  const [first = '', ...rest] = glob.split('*');
  const last = rest.pop();
  if (last === undefined) return text === first;
  if (!text.startsWith(first)) return false;
  let at = first.length;
  for (const piece of rest) {
    const found = text.indexOf(piece, at);
    if (found < 0) return false;
    at = found + piece.length;
  }
  return text.length - at >= last.length && text.endsWith(last);
}

/** True for a type that at least one of the globs names. */
export function typeMatcher(globs: readonly string[]): TypeMatcher {
  if (globs.includes('*')) return () => true;
  const answers = new Map<string, boolean>();
  return (type) => {
    let answer = answers.get(type);
    if (answer === undefined) {
      answer = globs.some((glob) => matchesGlob(glob, type));
      if (answers.size >= rememberedTypes) answers.clear();
      answers.set(type, answer);
    }
    return answer;
  };
}
