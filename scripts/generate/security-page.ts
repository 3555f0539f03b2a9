import type { Attack, Outcome } from '../../test/support/attacks/row.ts';
import { attackTable } from '../../test/support/attacks/table.ts';
import { table } from './tables.ts';

const marker = /<!-- generated: attacks -->\n[\s\S]*?<!-- end of generated -->/;

const words: Readonly<Record<Outcome, string>> = { refused: '●', partly: '◐', possible: '○' };

/** The page with its table renewed from the rows that the tests run; its prose is written by hand and stays. */
export function securityPage(page: string): string {
  const sections = attackTable.map(([heading, attacks]) => `### ${heading}\n\n${attackRows(attacks)}`);
  const text = `<!-- generated: attacks -->\n${sections.join('\n\n')}\n<!-- end of generated -->`;
  if (!marker.test(page)) throw new Error('docs/security.md has no place for its table');
  return page.replace(marker, () => text);
}

function attackRows(attacks: readonly Attack[]): string {
  const rows = attacks.map(({ id, attack, defence, outcome, error, audit }) => [
    id,
    attack,
    defence,
    words[outcome.bubblewrap],
    words[outcome.landlock],
    words[outcome.none],
    error,
    audit ?? '',
  ]);
  const head = [
    '',
    'A plugin …',
    'What is in its way',
    'bubblewrap',
    'Landlock',
    'none',
    'What comes of it',
    'Recorded',
  ];
  return table(head, rows);
}
