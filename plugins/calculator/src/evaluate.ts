/** Nesting of parentheses, signs and powers. Each level costs a few stack frames; nobody writes a hundred. */
const depthMax = 100;

/** An expression that cannot be read or has no finite value. `position` counts characters from 1. */
export class ExpressionError extends Error {
  override readonly name = 'ExpressionError';
  readonly position: number;

  constructor(problem: string, position: number, hint = '') {
    super(`${problem} at position ${position}.${hint === '' ? '' : ` ${hint}`}`);
    this.position = position;
  }
}

const constants: ReadonlyMap<string, number> = new Map([
  ['pi', Math.PI],
  ['e', Math.E],
]);

interface MathFunction {
  readonly argumentsMax: number;
  readonly apply: (...values: number[]) => number;
}
const unary = (apply: (value: number) => number): MathFunction => ({
  argumentsMax: 1,
  apply: (value = Number.NaN) => apply(value),
});
const functions: ReadonlyMap<string, MathFunction> = new Map([
  ['sqrt', unary(Math.sqrt)],
  ['abs', unary(Math.abs)],
  ['round', unary(Math.round)],
  ['floor', unary(Math.floor)],
  ['ceil', unary(Math.ceil)],
  ['ln', unary(Math.log)],
  ['log', unary(Math.log10)],
  ['sin', unary(Math.sin)],
  ['cos', unary(Math.cos)],
  ['tan', unary(Math.tan)],
  ['min', { argumentsMax: Number.POSITIVE_INFINITY, apply: Math.min }],
  ['max', { argumentsMax: Number.POSITIVE_INFINITY, apply: Math.max }],
]);

interface Token {
  readonly kind: 'number' | 'name' | 'symbol' | 'end';
  readonly text: string;
  readonly position: number;
}

/** Sticky, so that each match starts where the last one ended and the scan is linear. */
const tokenPattern = /\s*(?:((?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?)|([A-Za-z_][A-Za-z0-9_]*)|(\*\*|[-+*/%^(),]))/y;

/** The value of an arithmetic expression: a finite number, or an ExpressionError that says where it went wrong. */
export function evaluate(expression: string): number {
  const value = new Evaluation(tokenize(expression)).run();
  // A remainder or a rounding may leave -0, which prints as 0 here and as -0 elsewhere.
  return value === 0 ? 0 : value;
}

function tokenize(expression: string): Token[] {
  const tokens: Token[] = [];
  let at = 0;
  for (;;) {
    while (/\s/.test(expression.charAt(at))) at += 1;
    const position = at + 1;
    if (at >= expression.length) return [...tokens, { kind: 'end', text: '', position }];
    tokenPattern.lastIndex = at;
    const match = tokenPattern.exec(expression);
    if (match === null) {
      const character = String.fromCodePoint(expression.codePointAt(at) ?? 0);
      throw new ExpressionError(`${JSON.stringify(character)} is not part of any expression`, position);
    }
    const [text, number, name] = match;
    tokens.push({ kind: number !== undefined ? 'number' : name !== undefined ? 'name' : 'symbol', text, position });
    at = tokenPattern.lastIndex;
  }
}

/** One walk over the tokens. Each method reads one level of the grammar, from the loosest binding to the tightest. */
class Evaluation {
  readonly #tokens: readonly Token[];
  #at = 0;
  #depth = 0;

  constructor(tokens: readonly Token[]) {
    this.#tokens = tokens;
  }

  run(): number {
    const value = this.#sum();
    if (this.#next.kind !== 'end') throw this.#unexpected('an operator');
    return value;
  }

  get #next(): Token {
    return this.#tokens[this.#at] ?? { kind: 'end', text: '', position: 1 };
  }

  #take(...symbols: string[]): Token | undefined {
    const token = this.#next;
    if (token.kind !== 'symbol' || !symbols.includes(token.text)) return undefined;
    this.#at += 1;
    return token;
  }

  #sum(): number {
    let value = this.#product();
    for (let operator = this.#take('+', '-'); operator !== undefined; operator = this.#take('+', '-')) {
      const right = this.#product();
      value = finite(operator.text === '+' ? value + right : value - right, 'The result is too large', operator);
    }
    return value;
  }

  #product(): number {
    let value = this.#signed();
    for (let operator = this.#take('*', '/', '%'); operator !== undefined; operator = this.#take('*', '/', '%')) {
      const right = this.#signed();
      if (operator.text !== '*' && right === 0) throw new ExpressionError('Division by zero', operator.position);
      const result = operator.text === '*' ? value * right : operator.text === '/' ? value / right : value % right;
      value = finite(result, 'The result is too large', operator);
    }
    return value;
  }

  #signed(): number {
    const sign = this.#take('+', '-');
    if (sign === undefined) return this.#power();
    return this.#deeper(() => (sign.text === '-' ? -this.#signed() : this.#signed()));
  }

  #power(): number {
    const base = this.#primary();
    const operator = this.#take('^', '**');
    if (operator === undefined) return base;
    const exponent = this.#deeper(() => this.#signed());
    return finite(base ** exponent, 'The power has no finite value', operator);
  }

  #primary(): number {
    const token = this.#next;
    if (token.kind === 'number') {
      this.#at += 1;
      return finite(Number(token.text), 'The number is too large', token);
    }
    if (token.kind === 'name') return this.#name(token);
    if (this.#take('(') === undefined) throw this.#unexpected('a number, a name or "("');
    const value = this.#deeper(() => this.#sum());
    if (this.#take(')') === undefined) throw this.#unexpected('")"');
    return value;
  }

  #name(token: Token): number {
    this.#at += 1;
    const constant = constants.get(token.text);
    if (constant !== undefined) return constant;
    const called = functions.get(token.text);
    if (called === undefined) {
      const known = [...functions.keys(), ...constants.keys()].join(', ');
      throw new ExpressionError(`Unknown name "${token.text}"`, token.position, `Known are ${known}.`);
    }
    const values = this.#arguments();
    if (values.length > called.argumentsMax) {
      throw new ExpressionError(`${token.text} takes one number, not ${values.length},`, token.position);
    }
    return finite(called.apply(...values), `${token.text} has no finite value for its argument`, token);
  }

  #arguments(): number[] {
    if (this.#take('(') === undefined) throw this.#unexpected('"("');
    const values = [this.#deeper(() => this.#sum())];
    while (this.#take(',') !== undefined) values.push(this.#deeper(() => this.#sum()));
    if (this.#take(')') === undefined) throw this.#unexpected('"," or ")"');
    return values;
  }

  #deeper(read: () => number): number {
    if (this.#depth >= depthMax)
      throw new ExpressionError(`More than ${depthMax} levels of nesting`, this.#next.position);
    this.#depth += 1;
    const value = read();
    this.#depth -= 1;
    return value;
  }

  #unexpected(wanted: string): ExpressionError {
    const found = this.#next.kind === 'end' ? 'the end' : `"${this.#next.text}"`;
    return new ExpressionError(`Expected ${wanted}, found ${found}`, this.#next.position);
  }
}

function finite(value: number, problem: string, token: Token): number {
  if (!Number.isFinite(value)) throw new ExpressionError(problem, token.position);
  return value;
}
